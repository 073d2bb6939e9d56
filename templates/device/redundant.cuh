// SPDX-License-Identifier: MIT
// Why a word of synchronization may do without. A skeleton has many forms; a word that some of them need stands in all,
// and names what makes it redundant in the others. With a reason it does the same as without.
// Tests take each word away in each form, and expect to see what breaks but where its reason holds.
#pragma once

namespace rankone {

enum class redundant : unsigned char {
  never,
  where_rewriting_fences,  // q and k go through their expressions first, and all who do that fence and meet behind it
  where_rewriting_meets,   // likewise
  without_weights,         // nobody waits for this group of products alone
  without_range_scales,    // nothing touches the products' sums in between
  where_output_meets,      // the warp has met since, before its output left
  but_for_the_compiler,    // which must see that no product under way writes the state, or waits for all of them
  where_poison_is_seen  // the CPU device's, in sums that are not there yet: not finite, and what is done about that is right, too
};

}  // namespace rankone
