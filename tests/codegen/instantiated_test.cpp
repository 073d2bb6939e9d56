// SPDX-License-Identifier: MIT
// Emitted text holds no function that its kernels do not need: the host compiler tells which ones it made code for.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <tuple>

#include "codegen/names.hpp"
#include "codegen/space.hpp"
#include "runtime/cpu/host_compiler.hpp"
#include "tests/codegen/helpers.hpp"
#include "tests/whole_matrix.hpp"

namespace rankone {
namespace {

std::string output_of(const std::string& command) {
  std::string output;
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer{};
  for (std::size_t got; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.append(buffer.data(), got);
  pclose(pipe);
  return output;
}

std::set<std::string> words_of(const std::string& text) {
  static const std::regex word("[A-Za-z_][A-Za-z_0-9]*");
  std::set<std::string> words;
  for (std::sregex_iterator at(text.begin(), text.end(), word), end; at != end; ++at) words.insert(at->str());
  return words;
}

// Functions of a namespace, at the name. Words that the CPU device has in a form of its own are not compiled here.
const std::regex declaration(R"((^|\n)((?:template <[^\n]*> ?\n?)?RK_DEVICE [^;{}()]*?)\b(\w+)\()");

std::string templates_of(const std::string& text) {
  std::string templates = text.substr(0, text.find("// ---- this variant"));
  for (std::size_t at; (at = templates.find("#ifndef RANKONE_HOST\n")) != templates.npos;)
    templates.erase(at, templates.find("\n#endif\n", at) + 8 - at);
  return templates;
}

// What stands in conditions that are still there: they depend on a template's own parameters.
std::string left_open(const std::string& text) {
  std::string open;
  std::size_t indentation = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, next - at);
    const std::size_t first = std::min(line.find_first_not_of(' '), line.size());
    const bool goes_on = line.compare(first, 1, "}") == 0 || line.compare(first, 4, "else") == 0;
    inside = inside && (first > indentation || line[0] == '#' || (first == indentation && goes_on));
    if (!inside && line.find("if constexpr") != line.npos) {
      inside = true;
      indentation = first;
    }
    if (inside) open += line;
    at = next;
  }
  return open;
}

class Judge {
 public:
  Judge() : base_(testing::TempDir() + "rankone_instantiated_" + std::to_string(getpid())) {
    for (const std::string& word : find_host_compiler().command) compiler_ += word + " ";
  }
  ~Judge() {
    for (const char* suffix : {".cpp", ".o"}) std::filesystem::remove(base_ + suffix);
  }

  // Functions for which there is no code, and without which the text compiles all the same.
  std::set<std::string> needless(const std::string& text) const {
    EXPECT_EQ(errors_of(text), "");
    const std::set<std::string> made = words_of(output_of("nm -C " + base_ + ".o"));
    const std::string templates = templates_of(text);
    const std::set<std::string> open = words_of(left_open(templates));
    std::set<std::string> names;
    for (std::sregex_iterator at(templates.begin(), templates.end(), declaration), end; at != end; ++at)
      if (!made.contains((*at)[3]) && !open.contains((*at)[3])) names.insert((*at)[3]);
    // The text without them: what the compiler misses is needed.
    while (!names.empty()) {
      const std::set<std::string> missed = words_of(errors_of(without(text, names)));
      if (std::erase_if(names, [&](const std::string& name) { return missed.contains(name); }) == 0) break;
    }
    return names;
  }

 private:
  static std::string without(const std::string& text, const std::set<std::string>& names) {
    std::string result;
    std::size_t copied = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) {
      const std::size_t name = static_cast<std::size_t>(at->position(3));
      result += text.substr(copied, name - copied) + (names.contains((*at)[3]) ? "no_" : "");
      copied = name;
    }
    return result + text.substr(copied);
  }
  std::string errors_of(const std::string& text) const {
    std::ofstream(base_ + ".cpp") << host_prelude() << text;
    return output_of(compiler_ + "-std=c++20 -O0 -w -fno-exceptions -fno-rtti -c " + base_ + ".cpp -o " + base_ + ".o");
  }

  std::string base_, compiler_;
};

const Judge* judge() {
  try {
    static const Judge one;
    return &one;
  } catch (const Error&) {
    return nullptr;
  }
}

TEST(Judge, FindsAStranger) {
  if (judge() == nullptr) GTEST_SKIP() << "there is no host compiler";
  const std::string text = emit(program_of(variants::linear, {.key_dim = 64, .value_dim = 64}, "sm_80"));
  const std::string stranger =
      "namespace rankone {\nRK_DEVICE int stranger(int x) { return x; }\n"
      "template <class T> RK_DEVICE int stranger_of(T x) { return stranger(x); }\n}\n";
  std::string with = text;
  with.insert(with.find("// ---- this variant"), stranger);
  EXPECT_EQ(judge()->needless(text), std::set<std::string>{});
  EXPECT_EQ(judge()->needless(with), (std::set<std::string>{"stranger", "stranger_of"}));
}

constexpr Variant formulas = variant("formulas")
                                 .query(query() * sigmoid(input("r")))
                                 .value(silu(value()))
                                 .output(read() * sigmoid(input("z")) + value())
                                 .bonus(param("u"))
                                 .checked();

std::vector<const Variant*> judged_variants() {
  std::vector<const Variant*> variants{&formulas};
  for (const Variant& variant : catalogue()) variants.push_back(&variant);
  return variants;
}

// One schedule of each family, level, cluster and way of preparing.
std::vector<Schedule> schedules_of_each_kind(const Variant& variant, const CompileOptions& options, const char* arch) {
  std::map<std::tuple<Family, Level, int, bool>, Schedule> kinds;
  for (const Schedule& each : legal_schedules(variant, options, arch))
    kinds.emplace(std::tuple(each.family, each.level, each.cluster, each.prepared), each);
  std::vector<Schedule> schedules;
  for (const auto& [kind, schedule] : kinds) schedules.push_back(schedule);
  return schedules;
}

class Instantiated : public testing::TestWithParam<const Variant*> {};

// A type for each architecture, in turn; the short run has a few variants.
TEST_P(Instantiated, NoFunctionIsNeedless) {
  const Variant& variant = *GetParam();
  const bool is_short = &variant == &formulas || variant.name == Name("gla_sigmoid") || variant.name == Name("hgrn2");
  if (!is_short) RANKONE_SKIP_UNLESS_WHOLE();
  if (judge() == nullptr) GTEST_SKIP() << "there is no host compiler";
  const std::vector<const Variant*> all = judged_variants();
  std::size_t turn = static_cast<std::size_t>(std::ranges::find(all, &variant) - all.begin());
  for (const char* arch : {"sm_80", "sm_90a"}) {
    constexpr dtype types[] = {dtype::bf16, dtype::f16, dtype::f32};
    const CompileOptions options =
        usual_options(variant, {.key_dim = 128, .value_dim = 128, .dtype = types[turn++ % std::size(types)]});
    std::set<std::string> judged;
    for (const Schedule& forward : schedules_of_each_kind(variant, options, arch))
      for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::backward, Pass::decode}) {
        if (!why_not_admitted(variant, pass).empty()) continue;
        const Schedule schedule = schedule_for(pass, variant, options, arch, {forward});
        const std::string title = std::string(name_in(pass_names, pass)) + " " + to_string(schedule);
        if (!judged.insert(title).second) continue;
        EXPECT_EQ(judge()->needless(emit(lower(variant, options, schedule, arch, pass))), std::set<std::string>{})
            << name_of(options.dtype) << " " << arch << " " << title;
      }
    EXPECT_FALSE(judged.empty()) << arch;
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Instantiated, testing::ValuesIn(judged_variants()),
                         [](const auto& info) { return std::string(info.param->name.view()); });

}  // namespace
}  // namespace rankone
