// SPDX-License-Identifier: MIT
// Knobs: what changes how fast a variant is computed, but not its result. Each stands in this file alone: its value in a
// schedule, and a row in the table of each kernel family that has it. JSON, command-line options, texts, refusals, the
// search space and tuned data derive from the tables.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <type_traits>

#include <rankone/dsl/variant.hpp>
#include <rankone/dtype.hpp>

namespace rankone {

// How a kernel computes. In chunks, by matrix products: `portable` with the instructions of sm_80 and later, `hopper` with
// those of sm_90a. Token by token, and whatever can be declared: `recurrent`, on sm_80 and later.
enum class Family : unsigned char { portable, hopper, recurrent };

namespace detail {
template <template <class> class Value, class T> constexpr Value<T> otherwise(T value) {
  if constexpr (std::is_same_v<Value<T>, T>)
    return value;
  else
    return {};
}
template <class T> using Chosen = T;
}  // namespace detail

// A kernel family and a value for each knob; those that the family lacks keep the values they start with.
template <template <class> class Value> struct KnobValues {
  Value<Family> family = detail::otherwise<Value>(Family::portable);
  Value<Level> level = detail::otherwise<Value>(Level::serial);
  Value<int> chunk = detail::otherwise<Value>(64);
  Value<int> value_tile = detail::otherwise<Value>(64);
  Value<int> warps = detail::otherwise<Value>(4);
  Value<int> stages = detail::otherwise<Value>(2);
  Value<int> cluster = detail::otherwise<Value>(1);
  Value<bool> prepared = detail::otherwise<Value>(false);
  friend bool operator==(const KnobValues&, const KnobValues&) = default;
};

using Schedule = KnobValues<detail::Chosen>;  // how a variant is computed: all of it
using Pins = KnobValues<std::optional>;       // what a user wants of it; the rest is chosen

// A knob, whichever family has it. Values are counted as integers: levels by their order, truth values as 0 and 1.
struct Knob {
  enum class Kind : unsigned char { number, truth, level };
  const char* name;
  const char* about;  // one clause for people
  Kind kind;
  int (*get)(const Schedule&);
  void (*set)(Schedule&, int);
  std::optional<int> (*pinned)(const Pins&);
  void (*pin)(Pins&, std::optional<int>);
};

namespace detail {
template <auto chosen, auto pinned> constexpr Knob knob(const char* name, const char* about) {
  using T = std::remove_cvref_t<decltype(Schedule{}.*chosen)>;
  return {.name = name,
          .about = about,
          .kind = std::is_same_v<T, bool>    ? Knob::Kind::truth
                  : std::is_same_v<T, Level> ? Knob::Kind::level
                                             : Knob::Kind::number,
          .get = [](const Schedule& schedule) { return static_cast<int>(schedule.*chosen); },
          .set = [](Schedule& schedule, int value) { schedule.*chosen = static_cast<T>(value); },
          .pinned = [](const Pins& pins) -> std::optional<int> {
            if (!(pins.*pinned)) return std::nullopt;
            return static_cast<int>(*(pins.*pinned));
          },
          .pin =
              [](Pins& pins, std::optional<int> value) {
                if (value)
                  pins.*pinned = static_cast<T>(*value);
                else
                  (pins.*pinned).reset();
              }};
}
}  // namespace detail

inline constexpr Knob level_knob = detail::knob<&Schedule::level, &Pins::level>(
    "level",
    "where states lie: on chip (serial), in memory for each chunk (chunk) or between segments of tokens (segment)");
inline constexpr Knob chunk_knob =
    detail::knob<&Schedule::chunk, &Pins::chunk>("chunk", "tokens that are staged together");
inline constexpr Knob value_tile_knob =
    detail::knob<&Schedule::value_tile, &Pins::value_tile>("value_tile", "columns of the state that a block owns");
inline constexpr Knob warps_knob = detail::knob<&Schedule::warps, &Pins::warps>("warps", "warps of a block");
inline constexpr Knob stages_knob =
    detail::knob<&Schedule::stages, &Pins::stages>("stages", "chunks in flight in shared memory");
inline constexpr Knob cluster_knob = detail::knob<&Schedule::cluster, &Pins::cluster>(
    "cluster", "blocks of neighbouring value tiles that share the work on keys, where decays are per key");
inline constexpr Knob prepared_knob = detail::knob<&Schedule::prepared, &Pins::prepared>(
    "prepared", "a kernel of its own for the work on keys of all value tiles, where decays are per key");

// What else decides which values serve.
struct KnobContext {
  int key_dim, value_dim;        // K, or F where a feature map has a dimension of its own; V
  rankone::dtype dtype;          // of q, k, v and o
  bool decays_by_key;            // each key column has a decay of its own
  int tile_columns_of_all = 0;   // that a value tile of the recurrent family has beside its own: a normaliser's
  bool is_non_causal = false;    // queries read all keys
  bool has_one_tile = false;     // of the recurrent family: what values erase is read of all columns
  bool has_whole_pass = false;   // that is so of a pass of a chain, or of all there is
  bool decays_by_value = false;  // each value column has a decay of its own
  bool weighs_own_beside_columns = false;  // and there is a bonus
};

// The values that a family knows for a knob, in the order in which a search tries them.
struct KnobDomain {
  std::array<int, 16> values{};
  std::size_t count = 0;

  template <class T> constexpr KnobDomain(std::initializer_list<T> list) {
    for (const T value : list) values[count++] = static_cast<int>(value);
  }
  static constexpr KnobDomain range(int first, int last, int step) {
    KnobDomain domain(std::initializer_list<int>{});
    for (int value = first; step > 0 ? value <= last : value >= last; value += step)
      domain.values[domain.count++] = value;
    return domain;
  }
  constexpr const int* begin() const { return values.data(); }
  constexpr const int* end() const { return values.data() + count; }
  constexpr bool has(int value) const { return std::find(begin(), end(), value) != end(); }
};

// A knob as one family has it.
struct KnobRow {
  const Knob* knob;
  KnobDomain domain;
  bool tacit = false;  // texts and JSON leave it out where it has the value it starts with
  // Why the schedule's value cannot be, under this context and the schedule's other values; empty where it can.
  std::string (*why_not)(const KnobContext&, const Schedule&) = nullptr;
  // Whether a search tries the value; those that are not tried are there for whoever pins them.
  bool (*worth_trying)(const KnobContext&, const Schedule&) = nullptr;
};

inline constexpr KnobRow portable_knobs[] = {
    {.knob = &level_knob,
     .domain = {Level::serial, Level::chunk},
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (c.is_non_causal && s.level != Level::serial) return "queries that read all keys read no states of chunks";
       return {};
     }},
    {.knob = &chunk_knob,
     .domain = KnobDomain::range(16, 128, 16),
     .worth_trying = [](const KnobContext&, const Schedule& s) { return (s.chunk & (s.chunk - 1)) == 0; }},
    {.knob = &value_tile_knob,
     .domain = KnobDomain::range(16, 256, 16),
     .worth_trying =
         [](const KnobContext& c, const Schedule& s) {
           const bool beyond = s.value_tile > 16 && s.value_tile / 2 >= c.value_dim;  // the last column: only adds work
           return (s.value_tile & (s.value_tile - 1)) == 0 && s.value_tile <= 128 && !beyond;
         }},
    {.knob = &warps_knob,
     .domain = KnobDomain::range(16, 1, -1),
     .why_not = [](const KnobContext&, const Schedule& s) -> std::string {
       // 8: of two warps, one owns 16 columns and the other helps.
       for (const int columns : {8, 16, 32})
         if (s.value_tile == columns * s.warps) return {};
       return "a value tile has 8, 16 or 32 columns a warp";
     }},
    {.knob = &stages_knob, .domain = {1, 2}},
};

inline constexpr KnobRow hopper_knobs[] = {
    {.knob = &level_knob,
     .domain = {Level::serial, Level::segment},
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (c.decays_by_value && s.level != Level::serial) return "segments hand on no sums of decays of value columns";
       return {};
     }},
    {.knob = &chunk_knob,
     .domain = {32, 64},
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (c.key_dim > 128 && s.chunk > 32) return "beyond K = 128 there is room for chunks of 32 tokens";
       return {};
     }},
    {.knob = &value_tile_knob,
     .domain = {64, 128},
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (c.key_dim > 128 && s.value_tile > 64 && !s.prepared)
         return "beyond K = 128 the state leaves room for 64 value columns, unless keys are prepared";
       if (c.decays_by_key && c.decays_by_value && s.value_tile > 64)
         return "decays of keys and of value columns leave registers for 64 value columns";
       return {};
     },
     .worth_trying = [](const KnobContext& c, const Schedule& s) { return s.value_tile <= 64 || c.value_dim > 64; }},
    {.knob = &stages_knob,
     .domain = {2, 3, 4, 5, 6},
     .worth_trying = [](const KnobContext&, const Schedule& s) { return s.stages != 5 || s.prepared; }},
    {.knob = &cluster_knob,
     .domain = {1, 2},
     .tacit = true,
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (s.cluster == 1) return {};
       const int tiles = (c.value_dim + s.value_tile - 1) / s.value_tile;
       if (!c.decays_by_key) return "only decays per key leave a cluster work to share";
       if (c.weighs_own_beside_columns)
         return "a query's product with its own key, which stands beside decays of value columns, is of all keys";
       if (s.prepared) return "what is prepared leaves a cluster no work to share";
       if (c.dtype == dtype::f16)
         return "in f16 a block scales keys and queries by all of their columns, and shares none";
       if (c.key_dim % (64 * s.cluster) != 0) return "each block of a cluster takes multiples of 64 keys";
       if (tiles % s.cluster != 0)
         return "a cluster shares among neighbouring value tiles, and there are " + std::to_string(tiles);
       return {};
     }},
    {.knob = &prepared_knob,
     .domain = {false, true},
     .tacit = true,
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (s.prepared && !c.decays_by_key) return "only decays per key leave a kernel of its own anything to prepare";
       if (s.prepared && c.decays_by_value) return "what is prepared serves decays of keys alone";
       if (s.prepared && s.level != Level::serial) return "what is prepared serves the level serial";
       return {};
     }},
};

inline constexpr KnobRow recurrent_knobs[] = {
    {.knob = &value_tile_knob,
     .domain = {4, 8, 16, 32, 64, 128, 256, 512},  // below 16 for backward, where a block keeps many states
     .why_not = [](const KnobContext& c, const Schedule& s) -> std::string {
       if (s.value_tile <= c.tile_columns_of_all) return "a normaliser takes four columns of each value tile";
       if (c.has_one_tile && s.value_tile < c.value_dim) return "what values erase takes a value tile of all columns";
       if (s.value_tile > 128 * s.warps) return "a warp has at most 128 value columns";
       if (!c.has_one_tile && s.value_tile > 128) return "value tiles beyond 128 are for variants whose values erase";
       return {};
     },
     .worth_trying =
         [](const KnobContext& c, const Schedule& s) {
           if (c.has_one_tile) return s.value_tile == 4 || s.value_tile < 2 * c.value_dim;
           return s.value_tile == 16 || (s.value_tile > 16 && s.value_tile - c.tile_columns_of_all < 2 * c.value_dim);
         }},
    {.knob = &warps_knob,
     .domain = {1, 2, 4, 8, 16},  // 16: a thread for each of up to 512 features whose rows are reduced
     .worth_trying =
         [](const KnobContext& c, const Schedule& s) {
           const bool one_of_two = c.has_whole_pass && !c.has_one_tile;  // whose tile the schedule does not tell
           return s.warps < 16 || s.value_tile >= 128 || c.key_dim > 256 || one_of_two;
         }},
};

}  // namespace rankone
