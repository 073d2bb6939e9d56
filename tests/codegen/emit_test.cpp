// SPDX-License-Identifier: MIT
// Emitted text: deterministic, self-contained, and each formula as it should read.
#include <map>

#include "codegen/formula.hpp"
#include "codegen/gate_text.hpp"
#include "codegen/templates.hpp"
#include "tests/codegen/helpers.hpp"

namespace rankone {
namespace {

const CompileOptions square_64{.key_dim = 64, .value_dim = 64};

// The generated function for this log-decay.
std::string decay_text(const char* formula, Rate (*kind)(const Expression&) = per_head) {
  Variant declared = variant("test");
  declared = declared.decay(kind(parse_formula(formula)));
  const std::string text = gate_text(program_of(declared, square_64));
  const std::size_t begin = text.find(") {", text.find("float log_decay")) + 3;
  return text.substr(begin, text.find("  template", begin) - begin);
}

TEST(Emit, IsDeterministic) {
  for (const Variant& variant : catalogue()) {
    const Program program = program_of(variant, usual_options(variant, square_64));
    EXPECT_EQ(emit(program), emit(program_of(variant, program.options)));
  }
}

// But for the names, which are linked together.
TEST(Emit, DoesNotDependOnTheArchitecture) {
  const Schedule schedule = default_schedule(variants::gla, square_64, "sm_86");
  const auto text_for = [&](const char* arch) {
    const Program program = lower(variants::gla, square_64, schedule, arch);
    const std::string digest = program.name.substr(program.name.rfind('_'));
    std::string text = emit(program);
    for (std::size_t at = text.find(digest); at != std::string::npos; at = text.find(digest, at))
      text.erase(at, digest.size());
    return text;
  };
  EXPECT_EQ(text_for("sm_86"), text_for("sm_90a"));
}

TEST(Emit, StandsAlone) {
  for (const Variant& variant : catalogue()) {
    const std::string text = emit(program_of(variant, usual_options(variant, square_64)));
    EXPECT_FALSE(holds(text, "#include"));
    EXPECT_FALSE(holds(text, "#pragma once"));
    EXPECT_TRUE(text.starts_with("// SPDX-License-Identifier: MIT\n"));
    EXPECT_EQ(count(text, "SPDX"), 1);
    EXPECT_EQ(count(text, "extern \"C\" __global__"), variant.non_causal_ || variant.chains_ ? 2 : 1);
    EXPECT_TRUE(text.ends_with(";\n"));
    EXPECT_FALSE(holds(text, "\t"));
    for (const unsigned char c : text) ASSERT_TRUE(c == '\n' || (c >= 32 && c < 127)) << int{c};
  }
}

TEST(Emit, ContainsNoHostForms) {
  const std::string text = emit(program_of(variants::gla, square_64));
  EXPECT_TRUE(holds(text, "---- device/math.cuh"));
  for (const TemplateFile& file : template_files())
    EXPECT_FALSE(file.path.starts_with("host/") && holds(text, "---- " + std::string(file.path))) << file.path;
}

// What stands at namespace scope and is not inline has a name of the program's own, or none that others see.
TEST(Emit, CanBeLinkedWithOthers) {
  for (const Pass pass : {Pass::forward, Pass::states, Pass::combine, Pass::decode}) {
    const Program program = program_of(variants::gla, square_64, "sm_90a", pass);
    const std::string text = emit(program);
    EXPECT_TRUE(holds(text, " char " + program.name + "_manifest[]"));
    EXPECT_EQ(count(text, "extern \"C\""), 1 + static_cast<int>(program.kernels.size()));
    const std::size_t open = text.find("inline namespace " + program.name + " {\n"),
                      policy = text.find("struct Policy"), gate = text.find("struct Gate"),
                      close = text.find("}  // namespace " + program.name + "\n");
    EXPECT_TRUE(open < policy && policy < close);
    EXPECT_EQ(gate < close, pass != Pass::combine) << "combining evaluates no gate";
  }
}

// With RANKONE_ONLY=N the text is that of kernel N, without it that of all; what is outside the guards is in each.
TEST(Emit, GuardsEachOfSeveralKernels) {
  for (const Program& program : programs_of_several_kernels()) {
    const std::string text = emit(program), end = "#endif\n";
    std::size_t last = 0;
    for (std::size_t i = 0; i < program.kernels.size(); ++i) {
      const std::string guard = "\n#if !defined(RANKONE_ONLY) || RANKONE_ONLY == " + std::to_string(i) + "\n";
      ASSERT_EQ(count(text, guard), 1) << program.kernels[i].entry;
      const std::size_t begin = text.find(guard);
      EXPECT_GT(begin, last) << "in launch order";
      last = text.find(end, begin);
      const std::string guarded = text.substr(begin, last - begin);
      EXPECT_EQ(count(guarded, "__global__"), 1);
      EXPECT_TRUE(holds(guarded, "\n" + program.kernels[i].entry + "("));
      EXPECT_TRUE(holds(guarded, "static_assert(")) << "it would instantiate the other kernels' layouts";
      EXPECT_EQ(option_for(program, i), "-DRANKONE_ONLY=" + std::to_string(i));
    }
    EXPECT_EQ(count(text, "__global__ void __launch"), static_cast<int>(program.kernels.size()));
    EXPECT_GT(text.find("_manifest[]"), last);
  }
}

TEST(Emit, GuardsNothingWhereThereIsOneKernel) {
  for (const Family family : {Family::portable, Family::hopper}) {
    CompileOptions options = square_64;
    options.pins.level = Level::serial;
    options.pins.family = family;
    const Program program = program_of(variants::gla, options);
    EXPECT_FALSE(holds(emit(program), "RANKONE_ONLY"));
    EXPECT_EQ(option_for(program, 0), "");
  }
}

// The name is no other configuration's, and where it does not stand, the texts still differ.
TEST(Emit, DiffersWhereVariantsOrSchedulesDo) {
  const auto nameless = [](const Program& program) {
    std::string text = emit(program);
    for (std::size_t at = 0; (at = text.find(program.name, at)) != std::string::npos;)
      text.erase(at, program.name.size());
    return text;
  };
  const auto is_emitted = [](const Variant& variant, dtype type) {
    return (variant.name == Name("gla") && type == dtype::bf16) || (variant.name == Name("kda") && type == dtype::f32);
  };
  std::map<std::string, std::string> names, texts;
  const auto expect_new = [](std::map<std::string, std::string>& seen, const std::string& what, const std::string& of) {
    const auto [place, fresh] = seen.emplace(what, of);
    EXPECT_TRUE(fresh) << of << " = " << place->second;
  };
  for (const Variant& variant : catalogue())
    for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
      const CompileOptions options = usual_options(variant, {.key_dim = 32, .value_dim = 32, .dtype = type});
      const std::vector<Schedule> schedules = legal_schedules(variant, options, "sm_80");
      for (const Schedule& schedule : schedules) {
        const Program program = lower(variant, options, schedule, "sm_80");
        const std::string label = std::string(variant.name.view()) + " " + name_of(type) + " " + to_string(schedule);
        expect_new(names, program.name, label);
        if (is_emitted(variant, type) || &schedule == &schedules.front()) expect_new(texts, nameless(program), label);
      }
    }
}

TEST(Gate, WritesSimpleFormulasOnOneLine) {
  EXPECT_EQ(decay_text("log_sigmoid(input(x) + param(bias)) / 16"),
            "\n    return log_sigmoid(at.template input<0>() + at.template parameter<0>()) * 0.0625f;\n  }\n");
  EXPECT_EQ(decay_text("-exp(param(a)) * softplus(input(x) / 3)"),
            "\n    return -exp(at.template parameter<0>()) * softplus(divide(at.template input<0>(), 3.0f));\n  }\n");
  EXPECT_EQ(decay_text("-head() / heads() * scalar(gain)", constant),
            "\n    return divide(-at.head(), at.heads()) * at.template scalar<0>();\n  }\n");
  EXPECT_EQ(decay_text("min(input(x), max(input(y), -1e-3)) - step(position())"),
            "\n    return minimum(at.template input<0>(), maximum(at.template input<1>(), -0.001f)) - "
            "(at.position() > 0.0f ? 1.0f : 0.0f);\n  }\n");
}

TEST(Gate, CountsAbsoluteErrorsOfWeakDecaysPerKey) {
  const auto per_key_text = [](const char* formula) { return decay_text(formula, per_key); };
  EXPECT_TRUE(holds(per_key_text("log_sigmoid(input(x)) / 16"), "return decay_log_sigmoid("));
  EXPECT_TRUE(holds(per_key_text("log_sigmoid(input(x)) / 15"), "divide(log_sigmoid("));
  EXPECT_FALSE(holds(emit(program_of(variants::gla_sigmoid, {.key_dim = 64, .value_dim = 64, .dtype = dtype::f32})),
                     "return decay_log_sigmoid("));
  EXPECT_FALSE(holds(emit(program_of(variants::hgrn2, {.key_dim = 64, .value_dim = 64})), "return decay_log"))
      << "its key is 1 - decay";
}

TEST(Gate, NamesWhatIsUsedTwice) {
  EXPECT_EQ(decay_text("log(sigmoid(input(x)) * sigmoid(input(x)))"),
            "\n    const float t1 = sigmoid(at.template input<0>());\n    return log(t1 * t1);\n  }\n");
  EXPECT_EQ(decay_text("input(x) * -square(input(x))"),
            "\n    const float t1 = at.template input<0>();\n    return t1 * -square(t1);\n  }\n");
}

TEST(Gate, WritesFloatLiterals) {
  EXPECT_EQ(decay_text("input(x) * 2"), "\n    return at.template input<0>() * 2.0f;\n  }\n");
  EXPECT_EQ(decay_text("input(x) * 1e-30"), "\n    return at.template input<0>() * 1e-30f;\n  }\n");
  EXPECT_EQ(decay_text("input(x) - 16777217"), "\n    return at.template input<0>() - 16777216.0f;\n  }\n");
  EXPECT_EQ(decay_text("input(x) - -1"), "\n    return at.template input<0>() - -1.0f;\n  }\n");
  EXPECT_EQ(decay_text("-(-input(x))"), "\n    return -(-at.template input<0>());\n  }\n");
  EXPECT_TRUE(holds(refusal_of([] { decay_text("input(x) * 1e300"); }), "a constant fits float32"));
}

TEST(Gate, LeavesOutWhatIsNotDeclared) {
  const std::string text = gate_text(program_of(variants::linear, square_64));
  EXPECT_TRUE(holds(text, "float log_decay(const At&) { return 0.0f; }"));
  EXPECT_TRUE(holds(text, "float key(const At& at) { return at.key(); }"));
  EXPECT_TRUE(holds(text, "float write_scale(const At&) { return 1.0f; }"));
  EXPECT_TRUE(holds(text, "float feature_map(float element) { return element; }"));
}

TEST(Policy, SaysWhatTheTemplatesRead) {
  const Variant declared = variant("policy")
                               .decay(per_key(-softplus(input("x", head_axis | key_axis) + param("b"))))
                               .key(1 - decay())
                               .write_scale(input("w") * param("c", head_axis))
                               .feature_map(silu);
  const std::string text = policy_text(program_of(declared, {.key_dim = 20,
                                                             .value_dim = 24,
                                                             .dtype = dtype::f32,
                                                             .input_types = {{"w", dtype::f16}, {"c", dtype::bf16}},
                                                             .precision = Precision::f32,
                                                             .value_major_state = true}));
  for (const char* line :
       {"using Storage = float;", "using Operand = float;", "split_products = true;",
        "decay_axes = token_axis | value_head_axis | key_axis;", "key_dim = 20, value_dim = 24;",
        "has_key = true, has_write_scale = true, has_feature_map = true, reads_key = false,", "reads_position = false;",
        "value_major_state = true;", "input_count = 2;  // x, w",
        "input_types[] = {ElementType::f32, ElementType::f16};",
        "input_axes[] = {query_head_axis | key_axis, value_head_axis};", "parameter_count = 2;  // b, c",
        "parameter_types[] = {ElementType::f32, ElementType::bf16};",
        "parameter_axes[] = {value_head_axis | key_axis, query_head_axis};",
        "q = 0, k = 1, v = 2, first_input = 3, first_parameter = 5, cu_seqlens = 7"})
    EXPECT_TRUE(holds(text, line)) << line << "\n" << text;
}

TEST(Policy, SaysWhetherARowIsErasedAsItIsWritten) {
  const auto says = [](const Variant& variant) {
    return holds(policy_text(program_of(variant, {.key_dim = 64, .value_dim = 64})), "erases_as_it_writes = true");
  };
  for (const Variant* variant :
       {&variants::delta, &variants::gated_delta, &variants::kda, &variants::comba, &variants::gdn2})
    EXPECT_TRUE(says(*variant)) << variant->name.view();
  for (const Variant* variant : {&variants::rwkv7, &variants::dplr, &variants::iplr, &variants::gated_oja})
    EXPECT_FALSE(says(*variant)) << variant->name.view();
  EXPECT_FALSE(says(variant("other").erase(input("b")).write_scale(input("c")).checked()));
}

TEST(Policy, ChoosesOperandsByType) {
  const auto text = [](dtype type, std::optional<Family> family = {}) {
    return policy_text(
        program_of(variants::gla, {.key_dim = 64, .value_dim = 64, .dtype = type, .pins = {.family = family}}));
  };
  EXPECT_TRUE(holds(text(dtype::bf16), "using Storage = bf16;\n  using Operand = bf16;"));
  EXPECT_TRUE(holds(text(dtype::f16), "using Storage = f16;\n  using Operand = f16;"));
  EXPECT_TRUE(holds(text(dtype::f16, Family::portable), "using Storage = f16;\n  using Operand = float;"));
  EXPECT_TRUE(
      holds(text(dtype::f32),
            "using Storage = float;\n  using Operand = float;\n  static constexpr bool split_products = false;"));
}

}  // namespace
}  // namespace rankone
