// SPDX-License-Identifier: MIT
// What the prepare kernel leaves of each chunk in the workspace for the scan's blocks to copy into their stages: operands,
// decays and scores, in the pieces that the blocks of a cluster would send each other.
#pragma once

#include "device/bulk.cuh"
#include "device/global.cuh"
#include "hopper/cluster_share.cuh"
#include "hopper/work_items.cuh"

namespace rankone {

template <class T> struct PreparedChunk {
  static constexpr HopperLayout layout = T::layout;
  static constexpr int pieces = Pieces<T>::count;
  Global<unsigned char> base;

  RK_DEVICE PreparedChunk(const Arguments& arguments, const WorkItemRecord& item, long long first_token)
      : base(global<unsigned char>(arguments.prepared_chunks) +
             ((item.slot() + first_token / T::chunk) * arguments.value_heads + item.head()) * layout.prepared_bytes) {}
  // Where a piece of the stage stands: between keys and scores a stage has what each kernel needs for itself.
  RK_DEVICE Global<unsigned char> at(const Piece& piece) const {
    return base + (piece.offset < layout.value ? piece.offset : piece.offset - layout.scores + layout.value);
  }
};

// The gate warpgroup is done with a chunk: its stage is free once it has been copied, a piece by each of some threads.
template <class T>
RK_DEVICE void store_prepared(const Arguments& arguments, const StageDescriptor& descriptor,
                              const Pipeline<T>& pipeline, int thread) {
  named_barrier_sync(gate_barrier, group_threads);
  if (thread >= PreparedChunk<T>::pieces) return;
  if (descriptor.rows > 0) {
    const Piece piece = Pieces<T>::at(thread, 0, spans_of<T>(descriptor.rows));
    store_bulk(PreparedChunk<T>(arguments, descriptor.item, descriptor.first_token).at(piece),
               pipeline.base() + piece.offset, piece.bytes);
  }
  bulk_commit();
  bulk_wait_read<0>();
  mbarrier_arrive(pipeline.empty());
}

// Of a chunk with tokens; the stage's barrier expects prepared_bytes_of(rows).
template <class T>
RK_DEVICE void load_prepared(const Arguments& arguments, const WorkItemRecord& item, long long first_token, int rows,
                             const Pipeline<T>& pipeline, int thread) {
  if (thread >= PreparedChunk<T>::pieces) return;
  fence_async();  // as for TMA
  const Piece piece = Pieces<T>::at(thread, 0, spans_of<T>(rows));
  load_bulk(pipeline.base() + piece.offset, PreparedChunk<T>(arguments, item, first_token).at(piece), piece.bytes,
            pipeline.full());
}
template <class T> RK_DEVICE int prepared_bytes_of(int rows) { return spans_of<T>(rows) * Pieces<T>::bytes_of_span; }

}  // namespace rankone
