// SPDX-License-Identifier: MIT
// Branches that are known are printed alone: on small texts made for it.
#include "codegen/settle.hpp"

#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

const std::string traits =
    "enum class Role : unsigned char { scan, states, output };\n"
    "enum Bit : unsigned char { low = 1, high = 4 };\n"
    "RK_CONSTEXPR bool has(unsigned set, Bit bit) { return (set & bit) != 0; }\n"
    "template <class T> inline constexpr bool is_f16 = false;\ntemplate <> inline constexpr bool is_f16<f16> = true;\n"
    "template <Role role> struct Duties {\n  static constexpr bool reads = role != Role::states, writes = reads && true;\n};\n"
    "template <class Policy, Role role_> struct Traits : Policy, Duties<role_> {\n"
    "  using Storage = typename Policy::Storage;\n"
    "  static constexpr bool any = has(Policy::set, low) || Policy::flag, scaled = is_f16<Storage>;\n"
    "  static constexpr int stages = Policy::stages;\n};\n";

const std::string policy =
    "struct Policy {\n  using Storage = f16;\n  static constexpr int stages = 2;\n"
    "  static constexpr unsigned char set = high;\n  static constexpr bool flag = false;\n"
    "  static constexpr unsigned char axes[] = {high, high}, others[] = {low, high};\n};\n";

// Of the kernels that are called in these roles.
std::optional<bool> truth_of(const std::string& condition, const std::string& roles = "call<Role::scan>();") {
  const std::string user = policy + roles;
  const auto value = Constants({traits, user}).value(tokens_of(condition), {}, {});
  return value ? std::optional(*value != 0) : std::nullopt;
}

TEST(Settle, KnowsWhatFollowsFromThePolicy) {
  for (const char* known : {"T::reads", "T::writes && !T::any", "T::stages == 2", "(T::stages > 1) == true",
                            "T::scaled", "T::stages - 1 < T::stages", "T::any || T::reads", "has(Policy::set, high)",
                            "T::any ? false : true", "has(T::axes[index], high)", "!has(T::axes[index], low)",
                            "unknown || T::reads", "sizeof(typename T::Storage) == 2"}) {
    EXPECT_EQ(truth_of(known), std::optional(true)) << known;
    EXPECT_EQ(truth_of("!(" + std::string(known) + ")"), std::optional(false)) << known;
  }
}

TEST(Settle, AdmitsWhatItDoesNotKnow) {
  for (const char* open :
       {"T::other", "index < T::stages", "split", "T::reads && split", "T::layout.in_place", "is_f16<T>",
        "f<T>(0) == 0", "has(T::others[index], low)", "sizeof(T) == 2", "T::stages +", ""})
    EXPECT_EQ(truth_of(open), std::nullopt) << open;
  EXPECT_EQ(truth_of("T::reads", "call<Role::scan>(); call<Role::states>();"), std::nullopt) << "roles differ";
  EXPECT_EQ(truth_of("T::stages == 2", "call<Role::scan>(); call<Role::states>();"), std::optional(true));
  EXPECT_EQ(truth_of("T::reads", "combine();"), std::nullopt) << "no role is known";
}

std::string settled_body(const std::string& body) {
  const std::string user = policy + "call<Role::scan>();",
                    text = "template <class T> RK_DEVICE void f() {\n" + body + "}\n";
  const std::string result = settled(text, Constants({traits, user}));
  const std::size_t begin = result.find("{\n") + 2;
  return result.substr(begin, result.size() - begin - 2);
}

TEST(Settle, PrintsTheBranchThatIsTaken) {
  const std::pair<const char*, const char*> cases[] = {
      {"  if constexpr (T::reads) a();  // why\n  b();\n", "  a();  // why\n  b();\n"},
      {"  if constexpr (T::any) a();  // why\n  b();\n", "  b();\n"},
      {"  if constexpr (T::any)\n    a();\n  else\n    b(1,\n      2);\n", "  b(1,\n    2);\n"},
      {"  if constexpr (T::reads) {  // why\n    a();\n    for (;;) {\n      b();\n    }\n  }\n",
       "  // why\n  a();\n  for (;;) {\n    b();\n  }\n"},
      {"  if constexpr (T::any) {\n    a();\n  } else if constexpr (T::reads) {\n    b();\n  } else {\n    c();\n  }\n",
       "  b();\n"},
      {"  if constexpr (split) {\n    a();\n  } else if constexpr (T::reads) {\n    b();\n  } else {\n    c();\n  }\n",
       "  if constexpr (split) {\n    a();\n  } else {\n    b();\n  }\n"},
      {"  if (x) {\n    a();\n  } else if constexpr (T::any) {\n    b();\n  }\n", "  if (x) {\n    a();\n  }\n"},
      {"  if constexpr (split) {\n    if constexpr (T::reads) {\n      a();\n    }\n  }\n",
       "  if constexpr (split) {\n    a();\n  }\n"},
      {"  if constexpr (T::reads) {\n    if constexpr (T::any) a();\n  }\n  b();\n", "  \n  b();\n"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(settled_body(text), expected);
}

TEST(Settle, KeepsTheScopeOfDeclarations) {
  EXPECT_EQ(settled_body("  if constexpr (T::reads) {\n    const int x = 1;\n    a(x);\n  }\n"),
            "  {\n    const int x = 1;\n    a(x);\n  }\n");
  EXPECT_EQ(settled_body("  if constexpr (T::any) {\n  } else {\n    Quad<int> q;\n    a(q);\n  }\n"),
            "  {\n    Quad<int> q;\n    a(q);\n  }\n");
  EXPECT_EQ(settled_body("  if constexpr (T::reads) {\n    auto [x, y] = g();\n    a(x, y);\n  }\n"),
            "  {\n    auto [x, y] = g();\n    a(x, y);\n  }\n");
}

TEST(Settle, LeavesAloneWhatAScopeHidesOrATemplatesArgumentsDecide) {
  const std::string more =
      "template <int n> RK_CONSTEXPR int times(int x) { return n * x; }\n"
      "RK_CONSTEXPR int size(int x) { return x; }\nRK_CONSTEXPR int size(long x) {\n  x += 1;\n  return x;\n}\n"
      "template <class A, class B> inline constexpr bool same = false;\n"
      "template <class A> inline constexpr bool same<A, A> = true;\n";
  const auto in_function = [](const std::string& body) {
    return "template <class T> RK_DEVICE void f() {\n" + body + "}\n";
  };
  for (const std::string& text :
       {in_function("  constexpr int n = 3;\n  if constexpr (times<2>(2) == 6) a();\n"),
        in_function("  if constexpr (size(1l) == 1) a();\n"),
        in_function("  if constexpr (same<bf16, typename T::Storage>) a();\n"),
        in_function("  if constexpr (Duties<Role::states>::reads) a();\n"),
        std::string("template <> struct Quad<bf16> {\n  static constexpr int depth = 16;\n};\n"
                    "template <> struct Quad<float> {\n  static constexpr int depth = 8;\n"
                    "  RK_DEVICE void f() {\n    if constexpr (depth == 16) a();\n  }\n};\n"),
        std::string("struct Tile {\n  using Storage = f16;\n  template <class Storage> RK_DEVICE void f() {\n"
                    "    if constexpr (is_f16<Storage>) a();\n  }\n};\n"),
        std::string("struct Tile {\n  using Storage = f16;\n  RK_DEVICE void f() {\n    using Storage = float;\n"
                    "    if constexpr (is_f16<Storage>) a();\n  }\n};\n")}) {
    const std::string user = policy + "call<Role::scan>();";
    EXPECT_EQ(settled(text, Constants({traits, more, text, user})), text);
  }
}

TEST(Settle, LeavesNothingBehindAReturn) {
  EXPECT_EQ(settled_body("  if constexpr (T::reads) return a();\n  return b();\n"), "  return a();\n");
  EXPECT_EQ(settled_body("  if constexpr (T::any) return a();\n  return b();\n"), "  return b();\n");
  EXPECT_EQ(settled_body("  switch (x) {\n    case 0:\n      b();\n      if constexpr (T::reads) return a();\n"
                         "    default: c();\n  }\n"),
            "  switch (x) {\n    case 0:\n      b();\n      return a();\n    default: c();\n  }\n")
      << "but for what a label leads to";
}

TEST(Settle, TakesWhatIsTacitWhereNoPolicySaysIt) {
  const std::string tacit = "struct Tacit {\n  static constexpr bool sums = false;\n};\n",
                    text = "template <class T> RK_DEVICE void f() {\n  if constexpr (T::sums) a();\n  b();\n}\n";
  for (const bool is_said : {false, true}) {
    const std::string said = is_said ? "struct Policy {\n  static constexpr bool sums = true;\n};\n" : "";
    EXPECT_EQ(settled(text, Constants({traits, tacit, text, said + policy + "call<Role::scan>();"})),
              std::string("template <class T> RK_DEVICE void f() {\n") + (is_said ? "  a();\n" : "") + "  b();\n}\n");
  }
}

TEST(Settle, KnowsAFunctionsOwnConstants) {
  EXPECT_EQ(settled_body("  constexpr bool own = T::reads;\n  if constexpr (own) a();\n"), "  a();\n");
  EXPECT_EQ(settled_body("  constexpr bool own = g();\n  if constexpr (own) a();\n"),
            "  constexpr bool own = g();\n  if constexpr (own) a();\n");
}

TEST(Settle, MarksWhatNobodyUsesAnyMore) {
  const std::string user = policy + "call<Role::scan>();";
  EXPECT_EQ(settled("RK_DEVICE void f(const A<int, 2>& a, int b) {\n  int c = 1, d = g();\n  h(d);\n"
                    "  if constexpr (T::any) h(a, b, c);\n}\n",
                    Constants({traits, user})),
            "RK_DEVICE void f([[maybe_unused]] const A<int, 2>& a, [[maybe_unused]] int b) {\n"
            "  [[maybe_unused]] int c = 1, d = g();\n  h(d);\n}\n");
}

}  // namespace
}  // namespace rankone
