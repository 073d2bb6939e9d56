// SPDX-License-Identifier: MIT
// Tuning one variant at one shape on one GPU: each candidate is checked on small problems, then timed on the real one.
#include "autotune/tune.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <rankone/error.hpp>
#include <rankone/version.hpp>

#include "codegen/choose.hpp"
#include "codegen/knob_text.hpp"
#include "proof/launch.hpp"
#include "proof/timer.hpp"
#include "proof/verify.hpp"
#include "runtime/operator_impl.hpp"

namespace rankone {
namespace {

// Three of the longest chunks and a tail; two value heads on one key head.
constexpr std::int64_t check_tokens = 3 * 128 + 5;
constexpr unsigned most_threads = 16;

struct Trial {
  Problem problem;
  std::vector<HostTensor> reference;
};

std::vector<Trial> make_trials(const TuneRequest& request) {
  std::vector<Trial> trials;
  Dims dims{.tokens = check_tokens,
            .heads = 1,
            .value_heads = 2,
            .key_dim = request.dims.key_dim,
            .value_dim = request.dims.value_dim,
            .slot_dim = request.dims.slot_dim};
  const bool decodes = request.pass == Pass::decode;
  if (decodes) dims.batch = 5, dims.tokens = most_decoded_tokens;
  for (const bool packed : {false, true}) {
    if (packed && decodes) continue;
    const RandomInputs inputs{.seed = request.seed, .packed = packed, .scalars = request.scalars, .pass = request.pass};
    Trial trial{.problem = random_problem(request.variant, request.options, dims, inputs), .reference = {}};
    trial.reference = reference_outputs(trial.problem);
    trials.push_back(std::move(trial));
  }
  return trials;
}

// Operators by schedule, compiled on several threads.
class Operators {
 public:
  void put(const Schedule& schedule, const Operator& op) {
    const std::lock_guard guard(mutex_);
    operators_.emplace(to_string(schedule), op);
  }
  Operator get(const Schedule& schedule) {
    const std::lock_guard guard(mutex_);
    return operators_.at(to_string(schedule));
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Operator> operators_;
};

std::vector<Schedule> candidates(const TuneRequest& request, const ChosenSchedule& forward, const std::string& arch) {
  std::vector<Schedule> all = schedules_of(request.pass, request.variant, request.options, arch);
  const Schedule first = schedule_for(request.pass, request.variant, request.options, arch, forward);
  std::stable_partition(all.begin(), all.end(), [&](const Schedule& each) { return each == first; });
  return all;
}

}  // namespace

void require_tunable(const Device& device) {
  if (device.is_cpu())
    throw Error(ErrorCode::unsupported, "the CPU device emulates kernels, so its times say nothing about any GPU",
                "cpu", "a CUDA GPU", "device");
}

TuneReport tune(const TuneRequest& request, const Device& device) {
  require_tunable(device);
  require_admitted(request.variant, request.pass);
  const Shape expected = expected_shape(request.dims);
  const ChosenSchedule forward{.schedule = default_schedule(request.variant, request.options, device.arch(), expected),
                               .origin = "default",
                               .expected = expected};
  const std::vector<Schedule> space = candidates(request, forward, device.arch());
  std::vector<Trial> trials = make_trials(request);
  const Problem problem = random_problem(request.variant, request.options, request.dims,
                                         {.seed = request.seed,
                                          .initial_state = false,
                                          .scalars = request.scalars,
                                          .pass = request.pass,
                                          .in_place = true});
  const auto compiled = [&](const Schedule& schedule) {
    ChosenSchedule chosen = forward;
    if (request.pass == Pass::forward)
      chosen.schedule = schedule;
    else
      chosen.beside = {{request.pass, schedule, "tuning"}};
    return compile_schedule(request.variant, request.options, chosen, device);
  };
  Operators operators;
  operators.put(space.front(), compiled(space.front()));
  Launch launch(operators.get(space.front()), problem, false);
  const GpuTimer timer(device.ordinal());

  const auto start = std::chrono::steady_clock::now();
  const SearchWorld world{
      .check =
          [&](const Schedule& schedule) {
            const Operator op = compiled(schedule);
            double worst = 0;
            for (Trial& trial : trials)
              for (const TensorError& each : verify(op, trial.problem, trial.reference)) {
                if (!each.ok)
                  throw Error(ErrorCode::check_failed, "wrong results in " + each.name,
                              "relative error " + std::to_string(each.relative_error),
                              "at most " + std::to_string(each.bound));
                worst = std::max(worst, each.relative_error);
              }
            operators.put(schedule, op);
            return worst;
          },
      .time =
          [&](const Schedule& schedule, int launches) {
            launch.use(operators.get(schedule));
            return timer.cold([&](void* stream) { launch.run(stream); }, launches);
          },
      .seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); },
      .interrupted = request.interrupted,
      .progress = request.progress};

  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, most_threads);
  TuneReport report{.found = search(space, world, request.budget, static_cast<int>(threads)), .entry = {}};
  const auto& right = report.found.right;
  if (right.empty()) return report;
  TunedEntry& entry = report.entry;
  entry.key = tuned_key(request.variant, request.options, expected, request.pass);
  entry.schedule = right.front().schedule;
  entry.median_ms = right.front().median_ms;
  entry.relative_error = right.front().relative_error;
  for (const Candidate& each : right) {
    entry.measured.push_back({each.schedule, each.median_ms});
    if (each.schedule == space.front()) entry.default_ms = each.median_ms;
  }
  entry.variant = request.variant.name.view();
  entry.shape = to_string(request.dims);
  entry.version = RANKONE_VERSION;
  return report;
}

}  // namespace rankone
