// SPDX-License-Identifier: MIT
// Sentences for what went wrong in a block.
#include <map>

#include "runtime/cpu/block.hpp"

namespace rankone {
namespace {

std::string at_line(int line) { return " at line " + std::to_string(line); }

std::string bytes_at(int offset, int bytes) {
  return bytes == 1 ? "byte " + std::to_string(offset)
                    : "bytes " + std::to_string(offset) + " to " + std::to_string(offset + bytes - 1);
}

// `other`: the thread of the earlier access.
std::string race_report(const Failure& failure, int other) {
  const std::string now =
      "thread " + std::to_string(failure.thread) + " (" + name_of(failure.word) + at_line(failure.line) + ")";
  const std::string earlier = "thread " + std::to_string(other);
  const std::string place = " shared memory " + bytes_at(failure.offset, failure.bytes);
  const std::string line = at_line(failure.other.line);
  switch (failure.conflict) {
    case Conflict::write_read:
      return "write-read race: " + now + " reads" + place + ", which " + earlier + " wrote" + line +
             ", with no barrier between them";
    case Conflict::write_write:
      return "write-write race: " + now + " writes" + place + ", which " + earlier + " wrote" + line +
             ", with no barrier between them";
    case Conflict::read_write:
      return "read-write race: " + now + " writes" + place + ", which " + earlier + " read" + line +
             ", with no barrier between them";
    case Conflict::unwritten:
      return "unwritten memory: " + now + " reads" + place + ", which nobody wrote in this block";
    case Conflict::copy_under_way:
      return "copy under way: " + now + " touches" + place + ", which the asynchronous copy of " + earlier + line +
             " is still to write";
    case Conflict::unfenced:
      return "missing fence_async: " + now + " reads" + place + ", which " + earlier + " wrote" + line +
             " and did not fence before the barrier between them";
    case Conflict::unfenced_before:
      return "missing fence_async: " + now + " writes" + place + ", which " + earlier + " read or wrote" + line +
             ", with no fence of that thread after it, nor of this one since";
    case Conflict::product_under_way:
      return "product under way: " + now + " writes" + place + ", which the wgmma of a warpgroup" + line +
             " may still read: no wgmma_wait that covers it comes before";
    case Conflict::send_under_way:
      return "send under way: " + now + " writes" + place + ", which the send_to_block of " + earlier + line +
             " may still read: the other block has not given the stage back";
    case Conflict::store_under_way:
      return "store under way: " + now + " writes" + place + ", which the store_bulk of " + earlier + line +
             " may still read: no bulk_wait_read that covers it comes before";
    case Conflict::none: break;
  }
  return {};
}

}  // namespace

const char* name_of(Word word) {
  switch (word) {
    case Word::none: return "no word";
    case Word::sync_block: return "sync_block";
    case Word::sync_warp: return "sync_warp";
    case Word::shuffle: return "shuffle";
    case Word::load_matrix: return "load_matrix_x4";
    case Word::load_matrix_transposed: return "load_matrix_x4_transposed";
    case Word::multiply_bf16: return "mma_bf16";
    case Word::multiply_tf32: return "mma_tf32";
    case Word::load: return "shared_load";
    case Word::store: return "shared_store";
    case Word::global_load: return "global_load";
    case Word::global_store: return "global_store";
    case Word::copy_async: return "copy_async";
    case Word::store_matrix: return "store_matrix_x4";
    case Word::store_matrix_transposed: return "store_matrix_x4_transposed";
    case Word::mbarrier_init: return "mbarrier_init";
    case Word::mbarrier_arrive: return "mbarrier_arrive";
    case Word::mbarrier_wait: return "mbarrier_wait";
    case Word::mbarrier_arrive_at: return "mbarrier_arrive_at";
    case Word::mbarrier_arrive_expecting: return "mbarrier_arrive_expecting";
    case Word::mbarrier_arrive_after_copies: return "mbarrier_arrive_after_copies";
    case Word::sync_cluster: return "sync_cluster";
    case Word::send_to_block: return "send_to_block";
    case Word::load_bulk: return "load_bulk";
    case Word::tma_load: return "tma_load";
    case Word::store_bulk: return "store_bulk";
    case Word::named_barrier_sync: return "named_barrier_sync";
    case Word::set_registers: return "release_registers or claim_registers";
    case Word::wgmma: return "wgmma";
    case Word::wgmma_fence: return "wgmma_fence";
    case Word::wgmma_commit: return "wgmma_commit";
    case Word::wgmma_wait: return "wgmma_wait";
  }
  return "?";
}

// Threads by what they do, as ranges: "threads 0-30: in sync_warp at line 12; threads 31: exited".
std::string Block::where_threads_are(int first, int last) const {
  std::map<std::string, std::string> groups;
  for (int i = first; i < last;) {
    const auto state = [this](int thread) {
      const Fiber& fiber = fibers_[static_cast<std::size_t>(thread)];
      if (fiber.exited) return std::string("exited");
      if (fiber.word == Word::none) return std::string("on the way");
      std::string text = std::string("in ") + name_of(fiber.word) + at_line(fiber.line);
      if (fiber.word == Word::named_barrier_sync)
        text += ", barrier " + std::to_string(fiber.place) + " of " + std::to_string(fiber.detail) + " threads";
      if (fiber.word == Word::mbarrier_wait)
        for (const SharedBarrier& barrier : barriers_)
          if (barrier.offset == fiber.place)
            text += ", parity " + std::to_string(fiber.detail) + " of the barrier at byte " +
                    std::to_string(fiber.place - base_of(thread)) + ", which has " +
                    std::to_string(barrier.arrivals - barrier.missing) + " of " + std::to_string(barrier.arrivals) +
                    " arrivals" +
                    (barrier.bytes == 0 ? "" : " and waits for " + std::to_string(barrier.bytes) + " bytes");
      return text;
    };
    const std::string here = state(i);
    int end = i + 1;
    while (end < last && state(end) == here) ++end;
    std::string& ranges = groups[here];
    if (!ranges.empty()) ranges += ", ";
    ranges += std::to_string(i);
    if (end - i > 1) ranges.append("-").append(std::to_string(end - 1));
    i = end;
  }
  std::string text;
  for (const auto& [state, ranges] : groups) {
    if (!text.empty()) text += "; ";
    text += "threads " + ranges + ": " + state;
  }
  return text;
}

// Threads count through their cluster.
std::string Block::global_report() const {
  const GlobalFinding& finding = failure_.global;
  const auto thread_of = [&](std::uint32_t cluster, int thread) {
    if (launch_.parts) thread = clocks_.thread_of(thread);
    return "thread " + std::to_string(thread % launch_.threads) + " of block " +
           std::to_string(std::int64_t{cluster} * launch_.cluster + thread / launch_.threads);
  };
  const std::string who = thread_of(cluster_, failure_.thread) + " (" + name_of(failure_.word) +
                          at_line(failure_.line) + ")",
                    bytes = std::to_string(finding.bytes) + " bytes";
  if (finding.fault == GlobalFault::no_tensor)
    return "out of bounds: " + who + " touches an address that belongs to no tensor of the call";
  const std::string place = launch_.memory->place_name(finding);
  const bool same_block = finding.other.cluster == cluster_;
  const std::string other = thread_of(finding.other.cluster, finding.other.access.thread),
                    line = at_line(finding.other.access.line) + " of the same kernel, with " +
                           (!same_block             ? "no order between blocks"
                            : finding.other.lasts() ? "the copy under way"
                                                    : "no barrier between them");
  switch (finding.fault) {
    case GlobalFault::outside: return "out of bounds: " + who + " touches " + bytes + " at " + place;
    case GlobalFault::misaligned:
      return "misaligned: " + who + " touches " + place + " at an address that is no multiple of " +
             std::to_string(finding.bytes);
    case GlobalFault::unwritten:
      return "unwritten memory: " + who + " reads " + bytes + " at " + place + ", which no kernel of this call wrote";
    case GlobalFault::read_only: return "input written: " + who + " writes " + place + ", which kernels only read";
    case GlobalFault::write_read:
      return "write-read race: " + who + " reads " + place + ", which " + other + " wrote" + line;
    case GlobalFault::write_write:
      return "write-write race: " + who + " writes " + place + ", which " + other + " wrote" + line;
    case GlobalFault::read_write:
      return "read-write race: " + who + " writes " + place + ", which " + other + " read" + line;
    case GlobalFault::none:
    case GlobalFault::no_tensor: break;
  }
  return {};
}

// Each of the next four: of its own kinds; `who` did it. None is empty: that would say that all is well.
std::string Block::place_report(const std::string& who) const {
  const Failure& failure = failure_;
  switch (failure.kind) {
    case FailureKind::out_of_range:
      return "out of range: " + who + " touches shared memory " + bytes_at(failure.offset, failure.bytes) +
             " of a block that has " + std::to_string(launch_.shared_bytes);
    case FailureKind::misaligned:
      return "misaligned: " + who + " touches shared memory at byte " + std::to_string(failure.offset) +
             ", which is no multiple of " + std::to_string(failure.bytes);
    case FailureKind::misaligned_place:
      return "misaligned: " + who + " touches global memory at an address that is no multiple of " +
             std::to_string(failure.bytes);
    case FailureKind::bad_copy_size:
      return "copy size: " + who + " copies " + std::to_string(failure.bytes) + " bytes where 0 to 16 are legal";
    default: return who;
  }
}

std::string Block::barrier_report(const std::string& who) const {
  const Failure& failure = failure_;
  switch (failure.kind) {
    case FailureKind::no_barrier:
      return "uninitialized barrier: " + who + " uses shared memory at byte " + std::to_string(failure.offset) +
             ", where no mbarrier_init was last to write";
    case FailureKind::unfenced_barrier:
      return "missing fence_async: " + who + " brings bytes to the barrier at byte " + std::to_string(failure.offset) +
             ", with no fence behind its mbarrier_init" + at_line(failure.other.line);
    case FailureKind::bad_arrivals:
      return "barrier of " + std::to_string(failure.bytes) + " arrivals: " + who + " may ask for 1 to 1048575";
    case FailureKind::bad_parity:
      return "parity " + std::to_string(failure.bytes) + ": " + who + " may wait for 0 or 1";
    case FailureKind::extra_arrival:
      return "one arrival too many: " + who + " arrives at the barrier at byte " + std::to_string(failure.offset) +
             ", whose phase already had its " + std::to_string(failure.bytes) +
             " and whose end this thread has not waited for";
    case FailureKind::missed_phase:
      return "missed phase: " + who + " waits for a phase of the barrier at byte " + std::to_string(failure.offset) +
             ", and the next one may end before it looks";
    case FailureKind::bad_sync_threads:
      return "named barrier: " + who + " asks for barrier " + std::to_string(failure.offset) + " of " +
             std::to_string(failure.bytes) + " threads where 1 to 15, and a multiple of 32 up to " +
             std::to_string(launch_.threads) + ", are legal";
    case FailureKind::sync_threads_disagree:
      return "named barrier: those who come to barrier " + std::to_string(failure.offset) +
             " must agree on it: " + where_threads_are(0, launch_.threads * launch_.cluster);
    case FailureKind::bad_expectation:
      return "bytes expected: " + who + " names " + std::to_string(failure.bytes) + ", and 0 to 1048575 are legal";
    default: return who;
  }
}

std::string Block::warpgroup_report(const std::string& who) const {
  const Failure& failure = failure_;
  switch (failure.kind) {
    case FailureKind::partial_warpgroup:
      return "no warpgroup: " + who + " is in the last " + std::to_string(launch_.threads % warpgroup_threads) +
             " threads of a block, and a warpgroup has 128";
    case FailureKind::warpgroup_disagreement: {
      const int first = first_of_warpgroup(failure.thread);
      return "divergence: the warps of a warpgroup must come to the same word: " +
             where_threads_are(first, first + warpgroup_threads);
    }
    case FailureKind::operands_disagree:
      return "operands disagree: " + who + " names another matrix than the first thread of its warpgroup";
    case FailureKind::no_wgmma_fence:
      return "missing wgmma_fence: " + who +
             " issues the first product of a group, and no wgmma_fence begins the group";
    case FailureKind::accumulators_touched:
      return "accumulators touched: " + who + " finds them written between the wgmma that holds them and its wait";
    case FailureKind::products_left:
      return "wgmma left under way: thread " + std::to_string(failure.thread) +
             " ends, and no wgmma_wait covered the wgmma" + at_line(failure.line);
    default: return who;
  }
}

std::string Block::transfer_report(const std::string& who) const {
  const Failure& failure = failure_;
  switch (failure.kind) {
    case FailureKind::no_block:
      return "no block: " + who + " names block " + std::to_string(failure.bytes) + " of a cluster that has " +
             std::to_string(launch_.cluster);
    case FailureKind::bad_send:
      return "bytes sent: " + who + " names " + std::to_string(failure.bytes) + " bytes at byte " +
             std::to_string(failure.offset) + ", and both must be multiples of 16 within the block's " +
             std::to_string(launch_.shared_bytes);
    case FailureKind::no_map: return "no tensor map: " + who + " names one that was not encoded for this device";
    case FailureKind::bad_box:
      return "tensor copy: " + who + " puts a box of " + std::to_string(failure.bytes) + " bytes at byte " +
             std::to_string(failure.offset) +
             ", and it must start at a multiple of 1024, be 1 to 256 rows of 128 bytes, and end within the block's " +
             std::to_string(launch_.shared_bytes);
    case FailureKind::block_gone:
      return "block gone: " + who + " reaches into block " + std::to_string(failure.bytes) +
             " of the cluster, which has ended: no sync_cluster keeps it";
    case FailureKind::sends_left:
      if (failure.word != Word::send_to_block) return "load left under way: a block ends before the bytes of " + who;
      return "sends left under way: a block ends while it may still be read for " + who;
    case FailureKind::stores_left:
      return "store left under way: " + who + " ends, and no bulk_wait_read covered the store";
    default: return who;
  }
}

// Every kind stands here, so that the compiler finds one without a sentence.
std::string Block::report() const {
  const Failure& failure = failure_;
  const std::string who =
      "thread " + std::to_string(failure.thread) + " (" + name_of(failure.word) + at_line(failure.line) + ")";
  switch (failure.kind) {
    case FailureKind::race:
      return race_report(failure, launch_.parts ? clocks_.thread_of(failure.other.thread) : failure.other.thread);
    case FailureKind::disagreement: {
      const int first = failure.thread / host_warp_size * host_warp_size;
      return "divergence: the lanes of a warp must come to the same word: " +
             where_threads_are(first, first + host_warp_size);
    }
    case FailureKind::deadlock: return "deadlock: " + where_threads_are(0, launch_.threads * launch_.cluster);
    case FailureKind::out_of_range:
    case FailureKind::misaligned:
    case FailureKind::misaligned_place:
    case FailureKind::bad_copy_size: return place_report(who);
    case FailureKind::no_barrier:
    case FailureKind::unfenced_barrier:
    case FailureKind::bad_arrivals:
    case FailureKind::bad_parity:
    case FailureKind::extra_arrival:
    case FailureKind::missed_phase:
    case FailureKind::bad_sync_threads:
    case FailureKind::sync_threads_disagree:
    case FailureKind::bad_expectation: return barrier_report(who);
    case FailureKind::partial_warpgroup:
    case FailureKind::warpgroup_disagreement:
    case FailureKind::operands_disagree:
    case FailureKind::no_wgmma_fence:
    case FailureKind::accumulators_touched:
    case FailureKind::products_left: return warpgroup_report(who);
    case FailureKind::no_block:
    case FailureKind::bad_send:
    case FailureKind::no_map:
    case FailureKind::bad_box:
    case FailureKind::block_gone:
    case FailureKind::sends_left:
    case FailureKind::stores_left: return transfer_report(who);
    case FailureKind::global: return global_report();
    case FailureKind::none: break;
  }
  return {};
}

}  // namespace rankone
