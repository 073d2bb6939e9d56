// SPDX-License-Identifier: MIT
// Emitted texts hold what their kernels reach: on small templates made for it, and for the whole catalogue.
#include "codegen/reach.hpp"

#include <cctype>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "codegen/names.hpp"
#include "codegen/space.hpp"
#include "tests/codegen/helpers.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone {
namespace {

std::string reached_of(const std::string& text, const std::string& user) {
  const auto files = reached({{"file", text}}, user);
  return files.empty() ? "" : files.front().text;
}

TEST(Reach, LeavesOutWhatNobodyCalls) {
  const std::string text =
      "// Banner.\n\nnamespace rankone {\n\n// One.\nRK_DEVICE int one(int x) {\n  return two(x);  // {\n}\n"
      "// Two.\nRK_DEVICE int two(int) { return 2; }\n// Three.\nRK_DEVICE int three() { return one(1); }\n\n"
      "}  // namespace rankone\n";
  EXPECT_EQ(
      reached_of(text, "two(3);"),
      "// Banner.\n\nnamespace rankone {\n\n// Two.\nRK_DEVICE int two(int) { return 2; }\n\n}  // namespace rankone\n");
  EXPECT_NE(reached_of(text, "one(3);").find("int two(int)"), std::string::npos);
  EXPECT_EQ(reached_of(text, "one(3);").find("three"), std::string::npos);
  EXPECT_EQ(reached_of(text, "// three()\nconst char* s = \"three()\"; int one = three;"), "");
}

TEST(Reach, KnowsWhatADeclarationDeclares) {
  const auto keeps = [](const std::string& text, const std::string& user) { return !reached_of(text, user).empty(); };
  for (const std::string text :
       {"template <class T, int n = (1 > 0)> RK_DEVICE Quad<T> it(const T& x) {\n  return x(n);\n}\n",
        "struct alignas(16) it {\n  int x() { return 0; }\n};\n", "template <> struct it<int> {\n};\n",
        "using it = int;\n", "enum class it : int { x };\n", "enum Other { x, it = 2 };\n",
        "constexpr int first = 1 == 1, it = f(2), third = 3;\n", "template <class T> constexpr bool it<T*> = true;\n",
        "extern __shared__ __align__(16) char it[];\n", "RK_DEVICE void it() {\n  asm(\"}{(\" ::: \"memory\");\n}\n"}) {
    EXPECT_TRUE(keeps(text, "it(1);")) << text;
    EXPECT_FALSE(keeps(text, "y(n); T memory;")) << text;
  }
}

TEST(Reach, LeavesOutMembersThatNobodyCalls) {
  const std::string text =
      "struct It {\n  int x = f(1);\n\n  RK_DEVICE It(int y) : x(y) {}\n  // One.\n  RK_DEVICE int one() { return two(); }\n"
      "  RK_DEVICE It operator+(int y) const { return {x + y}; }\n\n private:\n  RK_DEVICE int two() {\n    return 2;\n"
      "  }\n};\n";
  EXPECT_EQ(reached_of(text, "It i(1); i.one();"), text);
  EXPECT_EQ(reached_of(text, "It i(1);"),
            "struct It {\n  int x = f(1);\n\n  RK_DEVICE It(int y) : x(y) {}\n"
            "  RK_DEVICE It operator+(int y) const { return {x + y}; }\n};\n");
}

TEST(Reach, DropsWhatIsLeftEmpty) {
  const std::string text =
      "namespace rankone {\n\n#ifndef RANKONE_HOST\nRK_DEVICE int one() { return 1; }\n#endif\n\n"
      "RK_DEVICE int two() { return 2; }\nstatic_assert(sizeof(int) == 4, \"four\");\n\n}  // namespace rankone\n";
  EXPECT_EQ(reached_of(text, "two();"),
            "namespace rankone {\n\nRK_DEVICE int two() { return 2; }\nstatic_assert(sizeof(int) == 4, \"four\");\n\n"
            "}  // namespace rankone\n");
  EXPECT_EQ(reached_of(text, "three();"), "");
}

// A scan of its own: functions at namespace scope, each with the names that its text calls.
struct Scan {
  std::map<std::string, std::set<std::string>> calls;  // of a function; overloads together
  std::set<std::string> roots;                         // called by entries, types and variables

  explicit Scan(const std::string& text) {
    std::string head, body;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool in_string = text[i] == '"';
      if (in_string)
        for (++i; text[i] != '"'; ++i) i += text[i] == '\\';
      if (text.compare(i, 2, "//") == 0 || (text[i] == '#' && depth == 0)) {
        while (i < text.size() && (text[i] != '\n' || text[i - 1] == '\\')) ++i;
        continue;
      }
      const char c = in_string ? ' ' : text[i];
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (depth == 1 && c == '{' && head.find("namespace") != head.npos)
        depth = 0, head.clear();
      else if (depth < 0)
        depth = 0;
      else if (depth > 0)
        body += c;
      else if (c == ';' || c == '}')
        add(std::exchange(head, {}), std::exchange(body, {}));
      else
        head += c;
    }
  }
  static std::set<std::string> called_in(const std::string& text) {
    std::set<std::string> names;
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (text[i] != '(' && text[i] != '<') continue;
      std::size_t begin = i;
      while (begin > 0 && (std::isalnum(static_cast<unsigned char>(text[begin - 1])) || text[begin - 1] == '_'))
        --begin;
      if (begin < i) names.insert(text.substr(begin, i - begin));
    }
    return names;
  }
  void add(const std::string& head, const std::string& body) {
    const bool is_function = head.find("RK_DEVICE") != head.npos || head.find("RK_CONSTEXPR") != head.npos;
    const std::set<std::string> called = called_in(head + body);
    if (!is_function || head.find("struct") != head.npos) return roots.insert(called.begin(), called.end()), void();
    const std::size_t declared = head.find(head.find("RK_DEVICE") != head.npos ? "RK_DEVICE" : "RK_CONSTEXPR");
    const std::size_t call = head.find('(', declared);
    std::size_t begin = call;
    while (std::isalnum(static_cast<unsigned char>(head[begin - 1])) || head[begin - 1] == '_') --begin;
    const std::set<std::string> inner = called_in(head.substr(call) + body);
    calls[head.substr(begin, call - begin)].insert(inner.begin(), inner.end());
  }
  std::set<std::string> unreached() const {
    std::set<std::string> left, seen = roots;
    std::vector<std::string> next(roots.begin(), roots.end());
    while (!next.empty()) {
      const std::string name = next.back();
      next.pop_back();
      if (const auto found = calls.find(name); found != calls.end())
        for (const std::string& inner : found->second)
          if (seen.insert(inner).second) next.push_back(inner);
    }
    for (const auto& [name, inner] : calls)
      if (!seen.contains(name)) left.insert(name);
    return left;
  }
};

TEST(Reach, TheScanFindsAStranger) {
  const Scan scan(
      "namespace a {\nRK_DEVICE int one() { return two(1); }\nRK_DEVICE int two(int x) { return x; }\n"
      "RK_DEVICE int three() { return one(); }\nstruct S { int x() { return one(); } };\n}\nvoid entry() {}\n");
  EXPECT_EQ(scan.calls.size(), 3u);
  EXPECT_EQ(scan.unreached(), std::set<std::string>{"three"});
}

// The schedules of each kind of kernels that a target has: one of each family, level, cluster and way of preparing.
std::vector<Schedule> one_of_each_kind(const Variant& variant, const CompileOptions& options, const char* arch) {
  std::map<std::string, Schedule> kinds;
  for (const Schedule& schedule : legal_schedules(variant, options, arch))
    kinds.emplace(std::to_string(static_cast<int>(schedule.family)) + "/" +
                      std::to_string(static_cast<int>(schedule.level)) + "/" + std::to_string(schedule.cluster) +
                      (schedule.prepared ? "/prepared" : ""),
                  schedule);
  std::vector<Schedule> schedules;
  for (const auto& [kind, schedule] : kinds) schedules.push_back(schedule);
  return schedules;
}

// It cannot see that a branch is discarded or that another overload is meant, and takes members for reached. The short run
// has every fifth text, in turn.
TEST(Reach, EveryFunctionOfEveryTextIsCalled) {
  constexpr std::size_t every = 5;
  std::map<std::string, int> texts;  // of each pass and family
  std::size_t number = 0;
  for (const Variant& variant : catalogue())
    for (const dtype type : {dtype::bf16, dtype::f16})
      for (const char* arch : {"sm_80", "sm_90a"}) {
        if (!test::runs_in_turn(number++, every)) continue;
        const CompileOptions options = usual_options(variant, {.key_dim = 128, .value_dim = 128, .dtype = type});
        std::set<std::string> seen;
        for (const Schedule& forward : one_of_each_kind(variant, options, arch))
          for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::decode}) {
            if (!why_not_admitted(variant, pass).empty()) continue;
            const Schedule schedule = schedule_for(pass, variant, options, arch, {forward});
            const std::string title = std::string(name_in(pass_names, pass)) + " " + to_string(schedule);
            if (!seen.insert(title).second) continue;
            const Scan scan(emit(lower(variant, options, schedule, arch, pass)));
            EXPECT_GE(scan.calls.size(), pass == Pass::combine ? 10u : 40u) << title;
            EXPECT_EQ(scan.unreached(), std::set<std::string>{}) << variant.name.view() << " " << title;
            ++texts[std::string(name_in(pass_names, pass)) + (schedule.family == Family::hopper ? " hopper" : "")];
          }
      }
  for (const char* kind : {"forward", "forward hopper", "states", "states hopper", "combine"})
    EXPECT_GE(texts[kind], static_cast<int>(std::size(catalogue())) / (test::whole_matrix() ? 1 : int{every})) << kind;
}

}  // namespace
}  // namespace rankone
