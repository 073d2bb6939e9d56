// SPDX-License-Identifier: MIT
// Operators on the CPU device and, where there is one, on a GPU: against the oracle, whole and in parts, many at once.
#include <rankone/compile.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <thread>

#include <rankone/dsl/catalogue.hpp>

#include "device_problem.hpp"
#include "expect_close.hpp"
#include "proof/oracle/compare.hpp"
#include "proof/oracle/oracle.hpp"
#include "runtime/backend.hpp"
#include "runtime/cache/file.hpp"
#include "runtime/cache/file_cache.hpp"
#include "runtime/cpu/device.hpp"
#include "runtime/cuda/context.hpp"
#include "runtime/cuda/driver.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/operator_impl.hpp"
#include "scratch.hpp"

namespace rankone {
namespace {

using test::DeviceTensor;
using test::Draw;
using test::expect_close;

constexpr std::int64_t B = 2, T = 37, H = 1, HV = 2;
constexpr int K = 32, V = 48;

class OnDevice : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const bool wants_gpu = std::string(GetParam()) == "cuda";
    if (wants_gpu && !test::gpu()) GTEST_SKIP() << "no GPU on this machine";
    device = wants_gpu ? test::gpu() : Device::cpu();
  }
  std::optional<Device> device;
};
INSTANTIATE_TEST_SUITE_P(Devices, OnDevice, testing::Values("cpu", "cuda"),
                         [](const auto& info) { return std::string(info.param); });

// A gla_sigmoid call; `gap` and `shift` break the alignment of vectors.
struct Problem {
  DeviceTensor q, k, v, x, initial, o, final_state, workspace;

  Problem(const Device& device, dtype type, std::int64_t tokens, std::int64_t workspace_bytes, std::int64_t gap = 0,
          std::int64_t shift = 0)
      : q(device, type, {B, tokens, H, K}, gap, shift), k(device, type, {B, tokens, H, K}, gap, shift),
        v(device, type, {B, tokens, HV, V}, gap, shift), x(device, type, {B, tokens, HV, K}, gap, shift),
        initial(device, dtype::f32, {B, HV, K, V}), o(device, type, {B, tokens, HV, V}, gap, shift),
        final_state(device, dtype::f32, {B, HV, K, V}), workspace(device, dtype::f32, {workspace_bytes / 4 + 1}) {
    Draw draw(7);
    for (DeviceTensor* tensor : {&q, &k, &v, &initial}) tensor->fill(draw);
    x.fill([&] { return 6 * draw(); });
  }
  ForwardArguments arguments(bool on_host) {
    const auto side = [&](DeviceTensor& tensor) { return on_host ? tensor.here : tensor.there; };
    ForwardArguments all;
    all.q = side(q);
    all.k = side(k);
    all.v = side(v);
    all.inputs = {{"x", side(x)}};
    all.initial_state = side(initial);
    all.o = side(o);
    all.final_state = side(final_state);
    all.workspace = workspace.bytes();
    return all;
  }
};

CompileOptions options_of(dtype type, Level level) {
  CompileOptions options{.key_dim = K, .value_dim = V, .dtype = type};
  options.pins.level = level;
  return options;
}

void expect_oracle(const Operator& op, Problem& problem, double bound) {
  op.forward(problem.arguments(false));
  const std::vector<double> o = problem.o.download().values(), state = problem.final_state.download().values();
  oracle_forward(op.variant(), op.options(), problem.arguments(true));
  expect_close(o, problem.o.values(), bound);
  expect_close(state, problem.final_state.values(), bound);
}

TEST_P(OnDevice, ForwardAgreesWithTheOracle) {
  for (const Level level : {Level::serial, Level::chunk})
    for (const auto& [type, bound] : {std::pair{dtype::bf16, 3.2e-3}, {dtype::f32, 7.6e-4}}) {
      const Operator op = compile(variants::gla_sigmoid, options_of(type, level), *device);
      const auto workspace = static_cast<std::int64_t>(op.workspace_bytes({B, T, H, HV}));
      Problem aligned(*device, type, T, workspace), ragged(*device, type, T, workspace, 3, 1);
      expect_oracle(op, aligned, bound);
      expect_oracle(op, ragged, bound);
    }
}

TEST_P(OnDevice, TwoSpansCombineToOne) {
  const Operator op = compile(variants::gla_sigmoid, options_of(dtype::f32, Level::serial), *device);
  Problem whole(*device, dtype::f32, T, 0);
  oracle_forward(op.variant(), op.options(), whole.arguments(true));

  // Tokens 0 to 19 from the initial state, the rest from nothing; then joined.
  const auto span = [&](std::int64_t first, std::int64_t count, Tensor initial, Tensor final_state) {
    ForwardArguments part = whole.arguments(false);
    for (Tensor* tensor : {&part.k, &part.v, &part.inputs[0].tensor}) {
      tensor->data = static_cast<char*>(tensor->data) + first * tensor->strides[1] * 4;
      tensor->shape[1] = count;
    }
    part.q = part.o = {};
    part.initial_state = initial;
    part.final_state = final_state;
    return part;
  };
  DeviceTensor earlier(*device, dtype::f32, {B, HV, K, V}), later(*device, dtype::f32, {B, HV, K, V}),
      total(*device, dtype::f32, {B, HV, K});
  op.states(span(0, 20, whole.initial.there, earlier.there), {});
  op.states(span(20, T - 20, {}, later.there), total.there);
  op.combine(later.there, total.there, earlier.there);
  expect_close(later.download().values(), whole.final_state.values(), 3.9e-4);
}

TEST_P(OnDevice, WithoutTokensTheStateIsKept) {
  const Operator op = compile(variants::gla_sigmoid, options_of(dtype::bf16, Level::serial), *device);
  Problem problem(*device, dtype::bf16, 0, 0);
  op.forward(problem.arguments(false));
  EXPECT_EQ(problem.final_state.download().values(), problem.initial.values());
}

TEST_P(OnDevice, TooManyBlocksAreRefused) {
  const Operator op = compile(variants::linear, options_of(dtype::bf16, Level::serial), *device);
  constexpr std::int64_t rows = std::int64_t{1} << 31;
  ForwardArguments given;
  given.q = given.k = Tensor(nullptr, dtype::bf16, {rows, 0, H, K});
  given.v = given.o = Tensor(nullptr, dtype::bf16, {rows, 0, HV, V});
  given.final_state = Tensor(reinterpret_cast<void*>(16), dtype::f32, {rows, HV, K, V});
  try {
    op.forward(given);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(error.accepted().find("2^31 - 1 blocks"), std::string::npos);
  }
}

TEST_P(OnDevice, ManyThreadsCompileAndLaunchAtOnce) {
  std::vector<std::vector<double>> results(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results)
      threads.emplace_back([&] {
        const Operator op = compile(variants::gla_sigmoid, options_of(dtype::bf16, Level::serial), *device);
        Problem problem(*device, dtype::bf16, 16, 0);
        op.forward(problem.arguments(false));
        result = problem.o.download().values();
      });
  }
  for (const auto& result : results) EXPECT_EQ(result, results[0]);
}

// Whatever is compiled is stored: when each entry of the cache was written.
std::map<std::string, std::filesystem::file_time_type> written_entries(const FileCache& cache) {
  std::map<std::string, std::filesystem::file_time_type> entries;
  for (const CacheListing& each : cache.list()) {
    const std::optional<CacheItem> item = cache.find(each.kind, each.key);
    if (item) entries.emplace(each.kind + "/" + each.key, std::filesystem::last_write_time(item->file));
  }
  return entries;
}

TEST_P(OnDevice, CompilingAgainCompilesNothing) {
  const test::ScratchFolder folder;
  const test::EnvironmentScope cache_folder("RANKONE_CACHE_DIR", folder.path().c_str());
  const CompileOptions options{.key_dim = K + 8, .value_dim = V, .pins = {.level = Level::serial}};  // of no other test
  const FileCache cache = FileCache::standard();
  const auto compiled_once = [&] {
    const Operator op = compile(variants::gla_sigmoid, options, *device);
    EXPECT_NE(op.schedule().find("serial"), std::string::npos);
    return std::pair{op.source(), written_entries(cache)};
  };
  const auto [text, entries] = compiled_once();
  ASSERT_FALSE(entries.empty());
  EXPECT_EQ(compiled_once(), (std::pair{text, entries})) << "from the cache";
  const Operator held = compile(variants::gla_sigmoid, options, *device);
  EXPECT_EQ(compiled_once(), (std::pair{text, entries})) << "beside one that is loaded";
}

TEST_P(OnDevice, OptionsThatDoNotFitAreRefused) {
  EXPECT_THROW(compile(variants::linear, {.key_dim = 0, .value_dim = V}, *device), Error);
  EXPECT_THROW(compile(variants::linear, {.key_dim = K, .value_dim = 513}, *device), Error);
  CompileOptions options = options_of(dtype::bf16, Level::serial);
  options.arch = "sm_1";
  EXPECT_THROW(compile(variants::linear, options, *device), Error);
  options.arch = {};
  options.pins.chunk = 17;
  EXPECT_THROW(compile(variants::linear, options, *device), Error);
}

TEST_P(OnDevice, TheExpectedShapeChoosesTheSchedule) {
  const CompileOptions options{.key_dim = 128, .value_dim = 128, .arch = device->is_cpu() ? "sm_90a" : ""};
  if (!device->is_cpu() && device->arch() != "sm_90a") GTEST_SKIP() << "other architectures have no segments";
  const Shape few{.batch = 1, .tokens = 32768, .heads = 4}, many{.batch = 64, .tokens = 512, .heads = 4};
  EXPECT_GT(compile(variants::simple_gla, options, *device, few).workspace_bytes(few), 0u) << "split in segments";
  EXPECT_EQ(compile(variants::simple_gla, options, *device, many).workspace_bytes(few), 0u) << "walked whole";
  try {
    compile(variants::simple_gla, options, *device, {.batch = -1, .tokens = 1});
    ADD_FAILURE() << "negative sizes";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(error.accepted(), "sizes from 0, with B·T·HV and N·HV below 2^44");
  }
}

TEST_P(OnDevice, ShapesOutOfRangeAreShownAsTheyCount) {
  const Operator op = compile(variants::linear, options_of(dtype::bf16, Level::serial), *device);
  try {
    (void)op.workspace_bytes({.batch = -1, .tokens = 20, .heads = 2});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.given(), "B = -1, T = 20, H = 2, HV = 2");
  }
}

TEST_P(OnDevice, ExportWritesWholeFiles) {
  const test::ScratchFolder scratch;
  const Operator op = compile(variants::gla_sigmoid, options_of(dtype::bf16, Level::chunk), *device);
  const ExportedFiles files = export_kernel(op, (scratch.path() / "out").string());
  EXPECT_EQ(read_file(files.source), op.source());
  EXPECT_NE(read_file(files.manifest)->find("gla_sigmoid_output"), std::string::npos);
  bool compiles = true;
  try {
    cuda::nvrtc();
  } catch (const Error&) {
    compiles = false;
  }
  EXPECT_EQ(!files.cubin.empty(), compiles);
  EXPECT_EQ(compiles ? read_file(files.cubin)->substr(1, 3) : "ELF", "ELF");
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(scratch.path() / "out")) ++count;
  EXPECT_EQ(count, compiles ? 4u : 3u) << "nothing else is left";

  // A folder that cannot be made: a file stands there.
  EXPECT_THROW(export_kernel(op, files.source + "/below"), Error);
}

TEST(Devices, ByName) {
  EXPECT_TRUE(Device::named("cpu").is_cpu());
  EXPECT_EQ(Device::cpu().ordinal(), -1);
  if (const Device best = Device::best(); !best.is_cpu()) {
    EXPECT_EQ(Device::cuda(best.ordinal()).name(), best.name());
  }
  EXPECT_EQ(Device::named("cpu").name(), "cpu");
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x"})
    EXPECT_THROW(Device::named(name), Error) << name;
  EXPECT_EQ(Device::best().is_cpu(), !test::gpu().has_value());
  if (!test::gpu()) {
    try {
      Device::named("cuda");
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::no_device);
    }
  } else {
    EXPECT_THROW(Device::cuda(1000), Error);
  }
}

template <class Call> void expect_refused(const Call& call, const char* given, const char* accepted) {
  try {
    call();
    ADD_FAILURE() << "an empty handle was called";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_EQ(error.given(), given);
    EXPECT_EQ(error.accepted(), accepted);
  }
}

struct Layer {  // as classes of users hold them
  Device device;
  Operator op;
};

TEST(Devices, EmptyOnesRefuseEveryCall) {
  Device moved = Device::cpu();
  const Device taken = std::move(moved);
  EXPECT_TRUE(static_cast<bool>(taken));
  for (const Device& empty : {Layer{}.device, moved}) {  // NOLINT(bugprone-use-after-move): it is what is tested
    EXPECT_FALSE(static_cast<bool>(empty));
    const auto refused = [](const auto& call) {
      expect_refused(call, "an empty device", "one of Device::best(), cpu(), cuda() or named()");
    };
    refused([&] { (void)empty.is_cpu(); });
    refused([&] { (void)empty.ordinal(); });
    refused([&] { (void)empty.name(); });
    refused([&] { (void)empty.arch(); });
    refused([&] { (void)empty.shared_memory_per_block(); });
    refused([&] { (void)empty.multiprocessors(); });
    refused([&] { (void)empty.allocate(1); });
    refused([&] { empty.upload(nullptr, nullptr, 0); });
    refused([&] { empty.download(nullptr, nullptr, 0); });
    refused([&] { empty.synchronize(); });
    refused([&] { (void)compile(variants::linear, {.key_dim = K, .value_dim = V}, empty); });
    refused([&] { (void)compile(variants::linear, {.key_dim = K, .value_dim = V}, empty, Shape{}); });
    empty.release(nullptr);
  }
}

TEST(Operators, EmptyOnesRefuseEveryCall) {
  Layer layer;
  EXPECT_FALSE(static_cast<bool>(layer.op));
  layer.op = compile(variants::linear, options_of(dtype::bf16, Level::serial), Device::cpu());
  EXPECT_TRUE(static_cast<bool>(layer.op));
  const Operator taken = std::move(layer.op);
  EXPECT_NE(taken.source(), "");
  for (const Operator& empty : {Operator{}, layer.op}) {
    EXPECT_FALSE(static_cast<bool>(empty));
    const auto refused = [](const auto& call) {
      expect_refused(call, "an empty operator", "one that compile() returned");
    };
    refused([&] { empty.forward({}); });
    refused([&] { empty.prepare_states(); });
    refused([&] { empty.states({}, {}); });
    refused([&] { empty.combine({}, {}, {}); });
    refused([&] { (void)empty.workspace_bytes({}); });
    refused([&] { (void)empty.schedule(); });
    refused([&] { (void)empty.source(); });
    refused([&] { (void)empty.variant(); });
    refused([&] { (void)empty.options(); });
    refused([&] { (void)empty.device(); });
    refused([&] { (void)export_kernel(empty, "nowhere"); });
  }
}

TEST(Devices, TheSeedOfTheCpuDevice) {
  const test::EnvironmentScope scope("RANKONE_SEED", nullptr);
  EXPECT_NE(&backend_of(cpu_device(3)), &backend_of(cpu_device(4)));
  EXPECT_EQ(&backend_of(Device::cpu()), &backend_of(Device::cpu()));
}

TEST(Gpu, LaunchesCostLittleAndCanBeCaptured) {
  const auto device = test::gpu();
  if (!device) GTEST_SKIP() << "no GPU on this machine";
  const cuda::Driver& driver = cuda::driver();
  const Operator op = compile(variants::gla_sigmoid, options_of(dtype::bf16, Level::serial), *device);
  Problem problem(*device, dtype::bf16, 16, 0);
  const ForwardArguments arguments = problem.arguments(false);
  op.forward(arguments);
  device->synchronize();

  // The host's share alone: few enough launches that the queue never fills.
  const auto host_cost = [&](const auto& launch) {
    double best = 1e9;
    for (int round = 0; round < 20; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < 50; ++i) launch();
      best = std::min(best,
                      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / 50);
      device->synchronize();
    }
    return best;
  };
  // What was bound before is handed to the driver and no more, which takes one host 3 us and another 5: there the checks
  // of a call may take their part of that longer, too.
  const BoundCall call = op.bind(arguments);
  const double bound = host_cost([&] { call.launch(); }), whole = host_cost([&] { op.forward(arguments); });
  std::printf("host cost of a launch: %.2f us, of one that was bound before %.2f us\n", whole, bound);
  EXPECT_LE(whole, std::max(5.0, 1.6 * bound));

  const std::vector<double> expected = problem.o.download().values();
  problem.o.fill([] { return 0.0; });
  cuda::Context context = nullptr;
  cuda::check(driver.cuDevicePrimaryCtxRetain(&context, 0), "cuDevicePrimaryCtxRetain");
  const cuda::CurrentContext current(driver, context);
  cuda::Stream stream = nullptr;
  cuda::Graph graph = nullptr;
  cuda::GraphExec executable = nullptr;
  cuda::check(driver.cuStreamCreate(&stream, cuda::stream_non_blocking), "cuStreamCreate");
  cuda::check(driver.cuStreamBeginCapture(stream, cuda::capture_global), "cuStreamBeginCapture");
  op.forward(arguments, stream);
  cuda::check(driver.cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
  cuda::check(driver.cuGraphInstantiate(&executable, graph, 0), "cuGraphInstantiate");
  EXPECT_EQ(problem.o.download().values(), std::vector<double>(expected.size(), 0.0)) << "capturing runs nothing";
  cuda::check(driver.cuGraphLaunch(executable, stream), "cuGraphLaunch");
  device->synchronize(stream);
  EXPECT_EQ(problem.o.download().values(), expected);
  driver.cuGraphExecDestroy(executable);
  driver.cuGraphDestroy(graph);
  driver.cuStreamDestroy(stream);
}

}  // namespace
}  // namespace rankone
