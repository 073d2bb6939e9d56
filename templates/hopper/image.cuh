// SPDX-License-Identifier: MIT
// What the prepare kernel leaves of each chunk in the workspace for the scan's blocks to copy into their stages: operands,
// decays and scores, in the pieces that the blocks of a cluster would send each other.
#pragma once

#include "device/bulk.cuh"
#include "device/global.cuh"
#include "hopper/items.cuh"
#include "hopper/share.cuh"

namespace rankone {

template <class T> struct Image {
  static constexpr HopperLayout layout = T::layout;
  static constexpr int pieces = Pieces<T>::count;
  Global<unsigned char> base;

  RK_DEVICE Image(const Arguments& arguments, const ItemAt& item, long long first_token)
      : base(global<unsigned char>(arguments.chunk_states) +
             ((item.slot() + first_token / T::chunk) * arguments.value_heads + item.head()) * layout.image_bytes) {}
  // Where a piece of the stage stands: between keys and scores a stage has what each kernel needs for itself.
  RK_DEVICE Global<unsigned char> at(const Piece& piece) const {
    return base + (piece.offset < layout.value ? piece.offset : piece.offset - layout.scores + layout.value);
  }
};

// The helpers are done with a chunk: its stage is free once it has been copied, a piece by each of some threads.
template <class T>
RK_DEVICE void store_image(const Arguments& arguments, const Note& note, const Ring<T>& ring, int thread) {
  sync_threads(helper_barrier, group_threads);
  if (thread >= Image<T>::pieces) return;
  if (note.rows > 0) {
    const Piece piece = Pieces<T>::at(thread, 0, spans_of<T>(note.rows));
    store_bulk(Image<T>(arguments, note.item, note.first_token).at(piece), ring.base() + piece.offset, piece.bytes);
  }
  bulk_commit();
  bulk_wait_read<0>();
  barrier_arrive(ring.free());
}

// Of a chunk with tokens; the stage's barrier expects image_bytes_of(rows).
template <class T>
RK_DEVICE void load_image(const Arguments& arguments, const ItemAt& item, long long first_token, int rows,
                          const Ring<T>& ring, int thread) {
  if (thread >= Image<T>::pieces) return;
  fence_async();  // as for boxes
  const Piece piece = Pieces<T>::at(thread, 0, spans_of<T>(rows));
  load_bulk(ring.base() + piece.offset, Image<T>(arguments, item, first_token).at(piece), piece.bytes, ring.full());
}
template <class T> RK_DEVICE int image_bytes_of(int rows) { return spans_of<T>(rows) * Pieces<T>::bytes_of_span; }

}  // namespace rankone
