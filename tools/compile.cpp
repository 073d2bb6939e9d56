// SPDX-License-Identifier: MIT
// rankone compile: what NVRTC makes of the source.
#include "runtime/kernel_report.hpp"
#include "tools/commands.hpp"
#include "tools/documents.hpp"
#include "tools/lowered.hpp"
#include "tools/output.hpp"
#include "tools/progress.hpp"
#include "tools/request.hpp"
#include "tools/text.hpp"

namespace rankone {

int command_compile(const Options& options) {
  const Variant variant = resolve_variant(options.variants.front());
  const Dims dims = one_dims(options, variant, any_calls(options));
  const Device device = pick_device(options);
  const std::vector<std::string> archs = all_archs(options, device);
  Json kernels = Json::array(), schedules = Json::object();
  Table table({"kernel", "pass", "arch", "registers", "shared", "spilled", "compiled in", "cached"});
  std::string text, warnings;
  for (const std::string& arch : archs) {
    const auto [program, chosen] = lower_for(options, variant, dims, device, arch);
    text += arch + ": " + chosen.text() + "\n";
    schedules.set(arch, schedule_document(chosen));
    const Progress progress(options, "compiling for " + arch);
    for (const KernelReport& each : compile_kernels(program)) {
      kernels.append(Json::object({{"name", each.name},
                                   {"pass", each.pass},
                                   {"arch", each.arch},
                                   {"registers", each.registers},
                                   {"shared_bytes", each.shared_bytes},
                                   {"spill_bytes", each.spill_bytes},
                                   {"compile_ms", each.compile_ms},
                                   {"cached", each.cached},
                                   {"warnings", each.warnings}}));
      for (const std::string& warning : each.warnings) warnings += "\nwarning: " + each.arch + ": " + warning + "\n";
      table.row({each.name, each.pass, each.arch, std::to_string(each.registers),
                 std::to_string(each.shared_bytes) + " B", std::to_string(each.spill_bytes) + " B",
                 fixed(each.compile_ms, 1) + " ms", each.cached ? "yes" : "no"});
    }
  }
  print_result(options,
               Json::object({{"variant", variant.name.view()}, {"schedules", schedules}, {"kernels", kernels}}),
               text + "\n" + table.text() + warnings);
  return exit_done;
}

}  // namespace rankone
