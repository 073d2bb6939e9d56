// SPDX-License-Identifier: MIT
// Variants as LaTeX: a few word for word, and of all of them, and of formulas drawn at random, that it is well-formed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <rankone/dsl.hpp>
#include <rankone/dsl/latex.hpp>

#include "tests/random/formulas.hpp"

using namespace rankone;

namespace {

std::string written(const Expression& expression) { return to_string(expression, latex::notation().style); }

TEST(Latex, FormulasWithTheirPrecedence) {
  const auto a = input("a"), b = param("b"), c = scalar("c");
  EXPECT_EQ(written(a / (b / c)), R"(\frac{a_{t}}{\frac{b}{c}})");
  EXPECT_EQ(written((a + b) / (1 + exp(-a / c))), R"(\frac{a_{t} + b}{1 + \exp\left(\frac{-a_{t}}{c}\right)})");
  EXPECT_EQ(written(-(a / b)), R"(-\frac{a_{t}}{b})");
  EXPECT_EQ(written(a * (b / c) + a), R"(a_{t} \cdot \frac{b}{c} + a_{t})");
  EXPECT_EQ(written(square(a / b)), R"(\left(\frac{a_{t}}{b}\right)^{2})");
  EXPECT_EQ(written(square(square(a))), R"(\left(a_{t}^{2}\right)^{2})");
  EXPECT_EQ(written(square(-a)), R"(\left(-a_{t}\right)^{2})");
  EXPECT_EQ(written(-square(a)), R"(-a_{t}^{2})");
  EXPECT_EQ(written(a - (b - c)), R"(a_{t} - \left(b - c\right))");
  EXPECT_EQ(written(a * (b + c)), R"(a_{t} \cdot \left(b + c\right))");
  EXPECT_EQ(written(a - -b * -2), R"(a_{t} - \left(-b \cdot \left(-2\right)\right))");
  EXPECT_EQ(written(-a * b - 1), R"(-a_{t} \cdot b - 1)");
  EXPECT_EQ(written(sqrt(a + 1) * relu(b)), R"(\sqrt{a_{t} + 1} \cdot \operatorname{relu}\left(b\right))");
  EXPECT_EQ(written(log_sigmoid(a) / 16), R"(\frac{\log\left(\sigma\left(a_{t}\right)\right)}{16})");
  EXPECT_EQ(written(min(a, step(b) * 2)), R"(\min\left(a_{t}, \mathbf{1}\left[b > 0\right] \cdot 2\right))");
  EXPECT_EQ(written(a * 1e-30 + 2.5e20), R"(a_{t} \cdot 10^{-30} + 2.5 \cdot 10^{20})");
  EXPECT_EQ(written(a / sqrt(key_sum(square(a)) + 1)), R"(\frac{a_{t}}{\sqrt{\sum_{K}\left(a_{t}^{2}\right) + 1}})");
  EXPECT_EQ(written(square(key_sum(a)) * key_max(b)),
            R"(\left(\sum_{K}\left(a_{t}\right)\right)^{2} \cdot \max_{K}\left(b\right))");
  EXPECT_EQ(written(square(Expression(1e10))), R"(\left(10^{10}\right)^{2})");
}

TEST(Latex, Names) {
  EXPECT_EQ(written(input("A_log_2") + param("dt")), R"(\mathrm{A\_log\_2}_{t} + \mathrm{dt})");
  EXPECT_EQ(written(input("beta") + scalar("layers")), R"(\beta_{t} + \mathrm{layers})");
  // What means something already: the head's index, the token, the decay, the sigmoid.
  EXPECT_EQ(written(param("h") + head() + input("t")), R"(\mathrm{h} + h + \mathrm{t}_{t})");
  EXPECT_EQ(written(input("alpha") + input("sigma")), R"(\mathrm{alpha}_{t} + \mathrm{sigma}_{t})");
}

TEST(Latex, Recurrences) {
  const auto of = [](const char* name) { return latex_recurrence(variant_named(name)); };
  EXPECT_EQ(latex_recurrence(variant("turning").phase(per_head(input("theta")))), R"(\begin{aligned}
\mathbf{S}_{t} &= \exp\left(\mathrm{i} \, \theta_{t}\right) \mathbf{S}_{t-1} + \mathbf{k}_{t}^{\top} \mathbf{v}_{t} \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \operatorname{Re}\left(\mathbf{S}_{t}\right)
\end{aligned}
)");
  EXPECT_EQ(of("linear"), R"(\begin{aligned}
\mathbf{S}_{t} &= \mathbf{S}_{t-1} + \mathbf{k}_{t}^{\top} \mathbf{v}_{t} \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \mathbf{S}_{t}
\end{aligned}
)");
  EXPECT_EQ(of("hgrn2"), R"(\begin{aligned}
\mathbf{S}_{t} &= \operatorname{Diag}\left(\boldsymbol{\alpha}_{t}\right) \mathbf{S}_{t-1} + \left(1 - \boldsymbol{\alpha}_{t}\right)^{\top} \mathbf{v}_{t} \\
\boldsymbol{\alpha}_{t} &= \mathrm{lower\_bound} + \left(1 - \mathrm{lower\_bound}\right) \cdot \sigma\left(x_{t}\right) \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \mathbf{S}_{t}
\end{aligned}
)");
  EXPECT_EQ(of("comba"), R"(\begin{aligned}
\mathbf{S}'_{t} &= \exp\left(g_{t}\right) \mathbf{S}_{t-1} \\
\mathbf{S}_{t} &= \mathbf{S}'_{t} - \beta_{t} \mathbf{k}_{t}^{\top} \left(p_{t} \mathbf{S}_{t-1}\right) + \beta_{t} \mathbf{k}_{t}^{\top} \mathbf{v}_{t} \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \mathbf{S}_{t}
\end{aligned}
)");
  EXPECT_EQ(of("gated_oja"), R"(\begin{aligned}
\mathbf{S}'_{t} &= \mathbf{S}_{t-1} \operatorname{Diag}\left(\exp\left(\mathrm{gv}_{t}\right)\right) \\
\mathbf{S}_{t} &= \mathbf{S}'_{t} - \left(\mathbf{S}'_{t} \mathbf{v}_{t}^{\top}\right) \beta_{t} \mathbf{v}_{t} + \beta_{t} \mathbf{k}_{t}^{\top} \mathbf{v}_{t} \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \mathbf{S}_{t}
\end{aligned}
)");
  EXPECT_EQ(of("delta_product"), R"(\begin{aligned}
\mathbf{S}_{t,0} &= \exp\left(g_{t}\right) \mathbf{S}_{t-1} \\
\mathbf{S}_{t,r} &= \mathbf{S}_{t,r-1} - \beta_{t,r} \mathbf{k}_{t,r}^{\top} \left(\mathbf{k}_{t,r} \mathbf{S}_{t,r-1}\right) + \beta_{t,r} \mathbf{k}_{t,r}^{\top} \mathbf{v}_{t,r},\quad r = 1, \dots, 2 \\
\mathbf{S}_{t} &= \mathbf{S}_{t,2} \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \mathbf{S}_{t}
\end{aligned}
)");
  const Variant all = variant("all").reversed().scale(0.5).feature_map(square(element())).bonus(param("u"));
  EXPECT_EQ(latex_recurrence(all), R"(\begin{aligned}
\mathbf{S}_{t} &= \mathbf{S}_{t+1} + \left(\mathbf{k}_{t}^{2}\right)^{\top} \mathbf{v}_{t} \\
\mathbf{o}_{t} &= 0.5 \left(\mathbf{q}_{t}^{2}\right) \left(\mathbf{S}_{t+1} + \operatorname{Diag}\left(u\right) \left(\mathbf{k}_{t}^{2}\right)^{\top} \mathbf{v}_{t}\right)
\end{aligned}
)");
}

TEST(Latex, GradientsWithWhatTheyShare) {
  EXPECT_EQ(latex_of(variants::gla_sigmoid), R"(% gla_sigmoid
\begin{align*}
\mathbf{S}_{t} &= \operatorname{Diag}\left(\exp\left(\frac{\log\left(\sigma\left(x_{t}\right)\right)}{16}\right)\right) \mathbf{S}_{t-1} + \mathbf{k}_{t}^{\top} \mathbf{v}_{t} \\
\mathbf{o}_{t} &= \frac{1}{\sqrt{K}} \mathbf{q}_{t} \mathbf{S}_{t}
\end{align*}
% log_decay and its gradients
\begin{align*}
\mathrm{log\_decay}_{t} &= \frac{\log\left(\sigma\left(x_{t}\right)\right)}{16} \\
\frac{\partial \mathrm{log\_decay}_{t}}{\partial x_{t}} &= \frac{\sigma\left(-x_{t}\right)}{16}
\end{align*}
)");
  const std::string hgrn2 = latex_of(variants::hgrn2);
  EXPECT_NE(
      hgrn2.find(
          R"(\frac{\partial \mathrm{log\_decay}_{t}}{\partial x_{t}} &= z_{2} \cdot \left(1 - z_{2}\right) \cdot \frac{z_{1}}{z_{3}} \\
z_{1} &= 1 - \mathrm{lower\_bound} \\
z_{2} &= \sigma\left(x_{t}\right) \\
z_{3} &= \mathrm{lower\_bound} + z_{1} \cdot z_{2}
\end{align*})"),
      std::string::npos)
      << hgrn2;
}

TEST(Latex, GradientsOfAFormulaOfRowsAreThoseOfItsSum) {
  const std::string text = latex_of(variant("soft").key(softmax(input("x"))));
  EXPECT_NE(text.find(R"(\frac{\partial \sum_{K} \mathrm{key}_{t}}{\partial x_{t}} &= )"), std::string::npos) << text;
  EXPECT_EQ(latex_of(variants::hgrn2).find("\\sum"), std::string::npos);
}

// Reads a text of latex_of word by word, and says what is first wrong with it.
class Reader {
 public:
  Reader(const Variant& variant, std::string text) : text_(std::move(text)) {
    for (const Leaves& leaves : {inputs_of(variant), parameters_of(variant), scalars_of(variant)})
      for (const Leaf& leaf : leaves) names_.insert(std::string(leaf.view()));
  }

  std::string first_fault() {
    for (std::size_t begin = 0, at; begin < text_.size(); begin = at + 1) {
      at = text_.find('\n', begin);
      std::string line = text_.substr(begin, at - begin);
      if (line.starts_with("% ")) continue;
      if (std::string fault = of_line(line); !fault.empty()) return fault + " in: " + line;
    }
    return environment_.empty() ? "" : environment_ + " does not end";
  }

 private:
  std::string of_line(std::string line) {
    if (const bool begins = line.starts_with("\\begin{"); begins || line.starts_with("\\end{")) {
      const std::string name = line.substr(line.find('{'));
      if (begins ? !environment_.empty() : environment_ != name) return "an environment within another";
      for (const std::string& used : used_)
        if (!begins && !shared_.contains(used)) return "z_{" + used + "} is not defined";
      environment_ = begins ? name : "";
      used_.clear();
      shared_.clear();
      return "";
    }
    if (environment_.empty()) return "a line outside of environments";
    if (line.ends_with(" \\\\")) line.resize(line.size() - 3);
    std::smatch found;
    if (std::regex_search(line, found, std::regex(R"(^z_\{(\d+)\} &= )"))) shared_.insert(found[1]);
    for (const char* wrong : {R"([-+] -|\\cdot -)", R"(\^\{[^{}]*\}\^|\}'_\{t\}\^)", R"([^\\]_[^{])", R"(\{\}|\(\))"})
      if (std::regex_search(line, found, std::regex(wrong))) return "'" + found[0].str() + "'";
    if (std::count(line.begin(), line.end(), '&') != 1) return "not one &";
    return of_words(line);
  }

  // Braces and fences nest; letters are commands, or names that something has.
  std::string of_words(const std::string& line) {
    static const std::set<std::string> commands{"frac", "sqrt", "cdot", "exp",   "log",  "sigma",
                                                "tanh", "sin",  "cos",  "min",   "max",  "partial",
                                                "sum",  "top",  "odot", "alpha", "quad", "dots"};
    static const std::set<std::string> words{"position", "token", "order", "i"};
    static const std::set<std::string> functions{"softplus", "silu", "relu", "step", "concatenate", "Diag", "Re"};
    std::vector<std::string> open;
    const std::regex word(
        R"(\\(left|right)([(\[)\]])|\\(mathrm|mathbf|operatorname|boldsymbol)\{((?:[^{}])*)\}|\\([a-zA-Z]+)|z_\{(\d+)\}|[{}]|[a-zA-Z]+)");
    for (std::sregex_iterator it(line.begin(), line.end(), word), end; it != end; ++it) {
      const std::smatch& match = *it;
      const std::string text = match.str(), kind = match[3], command = match[5];
      std::string inner = std::regex_replace(match[4].str(), std::regex(R"(\\_)"), "_");
      if (text == "{" || match[1] == "left") {
        open.push_back(text == "{" ? "}" : match[2] == "(" ? "\\right)" : "\\right]");
      } else if (text == "}" || match[1] == "right") {
        if (open.empty() || open.back() != text) return text + " closes nothing";
        open.pop_back();
      } else if (match[6].matched) {
        used_.insert(match[6]);
      } else if (kind == "mathrm") {
        const bool of_slot = std::ranges::any_of(formula_slots, [&](const Slot& slot) {
          return slot.name == inner || "second_" + std::string(slot.name) == inner;
        });
        if (!names_.contains(inner) && !of_slot && !words.contains(inner)) return inner + " is no name";
      } else if (kind == "operatorname") {
        if (!functions.contains(inner)) return inner + " is no function";
      } else if (!command.empty()) {
        if (!commands.contains(command) && !names_.contains(command)) return command + " is no command";
      } else if (kind.empty() && text.size() > 1) {
        return text + " is several letters";
      } else if (kind.empty() && !names_.contains(text) && text.find_first_not_of("hHKTkrt") == 0) {
        return text + " is no name";
      }
    }
    return open.empty() ? "" : open.back() + " is missing";
  }

  std::string text_, environment_;
  std::set<std::string> names_, used_, shared_;
};

TEST(Latex, TheReaderFindsWhatIsWrong) {
  const auto fault = [](std::string line) {
    return Reader(variants::gla, "\\begin{align*}\n" + line + "\n\\end{align*}\n").first_fault();
  };
  EXPECT_EQ(fault("g_{t} &= 1"), "");
  for (const char* wrong : {"g_t &= 1", "x &= 1", "g_{t} &= \\frac{1}{2", "g_{t} &= z_{1}", "g_{t} = 1", "g &= \\frob",
                            "g &= 1 - -2", "g &= g^{2}^{2}", "g &= \\left(1\\right]", "g &= \\mathrm{A_log}"})
    EXPECT_NE(fault(wrong), "") << wrong;
  EXPECT_NE(Reader(variants::gla, "\\begin{align*}\ng &= 1\n").first_fault(), "");
}

TEST(Latex, OfTheCatalogueIsWellFormed) {
  for (const Entry& entry : catalogue()) {
    const std::string text = latex_of(entry);
    EXPECT_EQ(Reader(entry, text).first_fault(), "") << text;
    for (const Leaves& leaves : {inputs_of(entry), parameters_of(entry), scalars_of(entry)})
      for (const Leaf& leaf : leaves) EXPECT_NE(text.find(latex::leaf(leaf).text), std::string::npos) << leaf.view();
  }
}

Variant drawn(std::uint64_t seed) {
  test::Chance chance(seed);
  test::Formulas formulas(chance);
  const test::FormulaPlace keys{.per_key = true}, heads{};
  Variant result = variant("drawn").decay(per_key(formulas.log_decay(keys, 3)));
  if (chance.once_in(2)) result = result.key(formulas.key({.per_key = true, .key = true, .decay = true}, 3));
  if (chance.once_in(2)) result = result.write_scale(formulas.write_scale(heads, 3));
  if (chance.once_in(2)) result = result.erase(formulas.erase_scale(2)).erase_read(formulas.erase_key(2));
  if (chance.once_in(3) && !result.erases()) result = result.value_erase(formulas.erase_scale(2));
  if (result.has(Formula::value_erase)) result = result.value_erase_read(formulas.erase_value(2));
  if (chance.once_in(3)) result = result.query(formulas.query(2));
  if (chance.once_in(3)) result = result.value(formulas.value(2));
  if (chance.once_in(3)) result = result.bonus(formulas.bonus(2));
  if (chance.once_in(3)) result = result.output(formulas.output(2));
  if (chance.once_in(3)) result = result.feature_map(formulas.feature_map(2));
  return result;
}

TEST(Latex, OfRandomFormulasIsWellFormed) {
  int read = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Variant variant;
    try {
      variant = drawn(seed);
      validate(variant);
    } catch (const Error&) {
      continue;  // more tensors or nodes than a variant may have
    }
    const std::string text = latex_of(variant);
    EXPECT_EQ(Reader(variant, text).first_fault(), "") << seed << "\n" << text;
    ++read;
  }
  EXPECT_GE(read, 75);
}

}  // namespace
