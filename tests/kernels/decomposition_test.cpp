// SPDX-License-Identifier: MIT
// Grids are counted twice: as extents by the host, and by what kernels make of a block's number. Both are asked here, for
// each program and many shapes: every piece of work is some block's, once, and no block has nothing to do.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include <rankone/dsl/catalogue.hpp>

#include "codegen/amalgamate.hpp"
#include "codegen/choose.hpp"
#include "codegen/gate_text.hpp"
#include "codegen/launch_arguments.hpp"
#include "codegen/program.hpp"
#include "runtime/cpu/emulator.hpp"
#include "templates/hopper/layout.cuh"

namespace rankone {
namespace {

constexpr int most_of_block = 512;  // pieces that a block here may have

// A piece of work: which sequence, value head and value column, and which tokens of the row.
using Piece = std::array<long long, 5>;

// A program's kernels in name, which only tell what each block would work on.
struct Prober {
  Program program;
  std::shared_ptr<HostModule> module;

  explicit Prober(Program of) : program(std::move(of)) {
    std::string text = "namespace rankone {\n" + policy_text(program) + "}\n";
    for (const Kernel& kernel : program.kernels) text += entry(kernel);
    module = HostModule::build(amalgamate_for(text, {is_hopper() ? "hopper/work_queue.cuh" : "kernels/sequence.cuh"}) +
                               text);
  }
  // In the Hopper family the producer's alone, which look for work together.
  int threads() const { return is_hopper() ? group_threads : 32; }
  bool has_probe(const Kernel& kernel) const { return !entry(kernel).empty(); }

 private:
  bool is_hopper() const { return program.schedule.family == Family::hopper; }
  // Of kernels that share the skeletons' way to their work; `join` and `combine` count by themselves.
  std::string entry(const Kernel& kernel) const {
    const bool hopper = is_hopper();
    if (kernel.name == "join" || kernel.name == "combine") return {};
    const std::string traits =
        std::string("using T = ") + (hopper ? "Hopper" : "") + "Traits<Policy, Role::" + kernel.name + ">;";
    const std::string tell =
        "if (thread_index() == 0) {\n"
        "long long* piece = out + 1 + 5 * out[0]++;\n"
        "piece[0] = work.sequence, piece[1] = work.head, piece[2] = work.value_column, piece[3] = work.start,\n"
        "piece[4] = work.length;\n}\n";
    return "extern \"C\" __global__ void " + kernel.entry +
           "(rankone::ArgumentsOf<rankone::Policy> const __grid_constant__ a) {\nusing namespace rankone;\n" + traits +
           "\nlong long* out = static_cast<long long*>(a.chunk_states) + block_index() * " +
           std::to_string(1 + 5 * most_of_block) + ";\n" +
           (hopper ? "WorkQueue<T> queue;\nWorkItem work;\nwhile (queue.next(a, work)) {\n" + tell +
                         "named_barrier_sync(producer_barrier, group_threads);\n}\n"
                   : "const Work work = find_work<T>(a, block_index());\n"
                     "if (!T::works_on_one_chunk || work.length != 0) {\n" +
                         tell + "}\n") +
           "}\n";
  }
};

struct Sizes {
  Shape shape{};
  std::vector<int> offsets{};  // of packed sequences
};

// The pieces that there are, and how many blocks may find none.
struct Expected {
  std::vector<Piece> pieces;
  std::int64_t without = 0;
};

Expected expected_of(const Program& program, const Kernel& kernel, const Sizes& sizes, std::int64_t segment_tokens) {
  Expected expected;
  const Shape& shape = sizes.shape;
  const int tile = kernel.name == "prepare" ? program.options.value_dim : program.schedule.value_tile;
  const bool packed = !sizes.offsets.empty(), forward = program.pass == Pass::forward;
  const std::int64_t sequences = packed ? shape.sequences : shape.batch;
  const bool segments = forward && kernel.name == "states" && program.schedule.level == Level::segment;
  const std::int64_t of_piece = kernel.name == "prepare"  ? prepare_chunks * program.schedule.chunk
                                : kernel.name == "output" ? program.schedule.chunk
                                                          : segment_tokens;
  for (std::int64_t n = 0; n < sequences; ++n) {
    const auto at = static_cast<std::size_t>(n);
    const std::int64_t start = packed ? sizes.offsets[at] : 0,
                       length = packed ? sizes.offsets[at + 1] - start : shape.tokens;
    const std::int64_t step = of_piece != 0 ? of_piece : std::max<std::int64_t>(length, 1);
    const std::int64_t parts = std::max<std::int64_t>((length + step - 1) / step, kernel.name == "output" ? 0 : 1);
    for (std::int64_t head = 0; head < shape.value_heads; ++head)
      for (int column = 0; column < program.options.value_dim; column += tile)
        for (std::int64_t part = 0; part < parts; ++part) {
          // Nobody starts from what the last segment adds.
          if (segments && part == parts - 1)
            ++expected.without;
          else
            expected.pieces.push_back({n, head, column, start + part * step, std::min(step, length - part * step)});
        }
  }
  // Packed, what is cut into pieces has a slot more for each sequence.
  if (packed && of_piece != 0)
    expected.without += sequences * shape.value_heads * ((program.options.value_dim + tile - 1) / tile);
  std::ranges::sort(expected.pieces);
  return expected;
}

void expect_all(const Prober& prober, const Sizes& sizes, int multiprocessors) {
  const Program& program = prober.program;
  const Sizes64 counted = sizes_of(sizes.shape, multiprocessors);
  LaunchArguments arguments(program.port_slots);
  arguments->tokens = sizes.shape.tokens;
  arguments->sequences = counted.sequences;
  arguments->heads = static_cast<int>(counted.heads);
  arguments->value_heads = static_cast<int>(counted.value_heads);
  arguments->segment_tokens = program.segment_tokens.evaluate(counted);
  if (!sizes.offsets.empty())
    arguments.port(find_port(program.ports, "cu_seqlens")->slot).data = const_cast<int*>(sizes.offsets.data());
  for (const Kernel& kernel : program.kernels) {
    if (!prober.has_probe(kernel)) continue;
    const std::int64_t blocks = kernel.blocks.evaluate(counted), items = kernel.items.evaluate(counted);
    SCOPED_TRACE(kernel.entry + ", B = " + std::to_string(counted.batch) + ", T = " + std::to_string(counted.tokens) +
                 ", N = " + std::to_string(counted.sequences) + ", HV = " + std::to_string(counted.value_heads) + ", " +
                 std::to_string(blocks) + " blocks for " + std::to_string(items) + " items");
    const bool is_split = arguments->segment_tokens != 0;
    if (kernel.name == "states" && program.pass == Pass::forward && program.schedule.level == Level::segment &&
        !is_split) {
      EXPECT_EQ(blocks, 0) << "of sequences that are not split";
      continue;
    }
    constexpr std::size_t row = 1 + 5 * most_of_block;
    std::vector<long long> told(static_cast<std::size_t>(blocks) * row);
    arguments->chunk_states = told.data();
    emulate(*prober.module, {kernel.entry, blocks, prober.threads(), kernel.shared_bytes, kernel.cluster}, *arguments,
            {.check_races = false});
    std::vector<Piece> pieces;
    std::int64_t idle = 0;
    for (std::size_t block = 0; block < static_cast<std::size_t>(blocks); ++block) {
      const long long* const out = told.data() + block * row;
      ASSERT_LE(out[0], most_of_block);
      idle += out[0] == 0 ? 1 : 0;
      for (long long i = 0; i < out[0]; ++i)
        pieces.push_back({out[1 + 5 * i], out[2 + 5 * i], out[3 + 5 * i], out[4 + 5 * i], out[5 + 5 * i]});
    }
    std::ranges::sort(pieces);
    const Expected expected = expected_of(program, kernel, sizes, arguments->segment_tokens);
    EXPECT_EQ(pieces, expected.pieces);
    const auto found = static_cast<std::int64_t>(expected.pieces.size());
    EXPECT_GE(items, found);
    EXPECT_LE(items, found + expected.without) << "no item without work";
    EXPECT_LE(idle, expected.without) << "no block without work";
  }
}

std::vector<Sizes> many_sizes(int count) {
  std::mt19937_64 random(5);
  const auto from = [&](std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
  };
  std::vector<Sizes> all = {{{.batch = 1, .tokens = 1, .heads = 1, .value_heads = 1}},
                            {{.batch = 1, .tokens = 20000, .heads = 1, .value_heads = 1}}};
  for (int i = 0; i < count; ++i) {
    const std::int64_t heads = from(1, 3);
    Sizes& sizes = all.emplace_back(Sizes{{.batch = from(1, 4),
                                           .tokens = from(1, i % 4 == 0 ? 9000 : 400),
                                           .heads = heads,
                                           .value_heads = heads * from(1, 2)}});
    if (i % 2 == 0) continue;
    sizes.shape.batch = 1;
    sizes.shape.sequences = from(1, i % 16 == 1 ? 140 : 6);  // beyond 128 they keep their order
    for (std::int64_t n = 1; n < sizes.shape.sequences; ++n)
      sizes.offsets.push_back(static_cast<int>(from(0, sizes.shape.tokens)));
    sizes.offsets.push_back(0);
    sizes.offsets.push_back(static_cast<int>(sizes.shape.tokens));
    std::ranges::sort(sizes.offsets);  // some are empty
  }
  return all;
}

struct Case {
  const char* name;
  const Variant& variant;
  CompileOptions options;
  Pass pass = Pass::forward;
};

void PrintTo(const Case& c, std::ostream* to) { *to << c.name; }

class Decomposition : public testing::TestWithParam<Case> {};

TEST_P(Decomposition, IsWhatTheHostCounts) {
  const auto& [name, variant, options, pass] = GetParam();
  const Schedule forward = default_schedule(variant, options, "sm_90a");
  const Prober prober(lower(variant, options, schedule_for(pass, variant, options, "sm_90a", {forward}), "sm_90a", pass));
  for (const Sizes& sizes : many_sizes(40))
    for (const int multiprocessors : {3, 132}) expect_all(prober, sizes, multiprocessors);
}

constexpr Pins portable(Level level) { return {.family = Family::portable, .level = level, .chunk = 32}; }
constexpr Pins hopper(Level level) { return {.family = Family::hopper, .level = level, .chunk = 32}; }

INSTANTIATE_TEST_SUITE_P(
    Programs, Decomposition,
    testing::Values(
        Case{"serial", variants::simple_gla, {.key_dim = 32, .value_dim = 80, .pins = portable(Level::serial)}},
        Case{"chunk", variants::gla, {.key_dim = 32, .value_dim = 80, .pins = portable(Level::chunk)}},
        Case{"states", variants::gla, {.key_dim = 32, .value_dim = 80, .pins = portable(Level::chunk)}, Pass::states},
        Case{"hopper", variants::simple_gla, {.key_dim = 64, .value_dim = 160, .pins = hopper(Level::serial)}},
        Case{"segment", variants::gla, {.key_dim = 64, .value_dim = 160, .pins = hopper(Level::segment)}},
        Case{"segment_states",
             variants::gla,
             {.key_dim = 64, .value_dim = 160, .pins = hopper(Level::segment)},
             Pass::states},
        Case{"cluster",
             variants::gla,
             {.key_dim = 128,
              .value_dim = 128,
              .pins = {.family = Family::hopper, .chunk = 32, .value_tile = 64, .cluster = 2}}},
        Case{"prepared",
             variants::gla,
             {.key_dim = 64, .value_dim = 160, .pins = {.family = Family::hopper, .chunk = 32, .prepared = true}}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace rankone
