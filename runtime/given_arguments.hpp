// SPDX-License-Identifier: MIT
// A call's arguments by the names of ports, whichever pass they are of.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rankone/tensor.hpp>

namespace rankone {

// Tensors that a call's arguments have a place for; all others are given by name.
inline constexpr std::array<std::string_view, 19> placed_names{"q",
                                                               "k",
                                                               "v",
                                                               "cu_seqlens",
                                                               "start_positions",
                                                               "initial_state",
                                                               "o",
                                                               "final_state",
                                                               "do",
                                                               "dfinal_state",
                                                               "dq",
                                                               "dk",
                                                               "dv",
                                                               "dinitial_state",
                                                               "log_decay_total",
                                                               "state",
                                                               "state_read",
                                                               "state_write",
                                                               "token_states"};
inline constexpr int no_place = -1;
constexpr int place_of(std::string_view name) {
  const auto found = std::find(placed_names.begin(), placed_names.end(), name);
  return found == placed_names.end() ? no_place : static_cast<int>(found - placed_names.begin());
}

template <class Arguments> struct Member {
  int place = no_place;
  Tensor Arguments::*tensor = nullptr;
};
// The one table of which member a tensor is.
template <class Arguments> inline constexpr std::array<Member<Arguments>, 0> members{};
template <>
inline constexpr std::array members<ForwardArguments> = {
    Member<ForwardArguments>{place_of("q"), &ForwardArguments::q},
    Member<ForwardArguments>{place_of("k"), &ForwardArguments::k},
    Member<ForwardArguments>{place_of("v"), &ForwardArguments::v},
    Member<ForwardArguments>{place_of("cu_seqlens"), &ForwardArguments::cu_seqlens},
    Member<ForwardArguments>{place_of("start_positions"), &ForwardArguments::start_positions},
    Member<ForwardArguments>{place_of("initial_state"), &ForwardArguments::initial_state},
    Member<ForwardArguments>{place_of("o"), &ForwardArguments::o},
    Member<ForwardArguments>{place_of("final_state"), &ForwardArguments::final_state}};
template <>
inline constexpr std::array members<BackwardArguments> = {
    Member<BackwardArguments>{place_of("q"), &BackwardArguments::q},
    Member<BackwardArguments>{place_of("k"), &BackwardArguments::k},
    Member<BackwardArguments>{place_of("v"), &BackwardArguments::v},
    Member<BackwardArguments>{place_of("cu_seqlens"), &BackwardArguments::cu_seqlens},
    Member<BackwardArguments>{place_of("start_positions"), &BackwardArguments::start_positions},
    Member<BackwardArguments>{place_of("initial_state"), &BackwardArguments::initial_state},
    Member<BackwardArguments>{place_of("do"), &BackwardArguments::do_},
    Member<BackwardArguments>{place_of("dfinal_state"), &BackwardArguments::dfinal_state},
    Member<BackwardArguments>{place_of("dq"), &BackwardArguments::dq},
    Member<BackwardArguments>{place_of("dk"), &BackwardArguments::dk},
    Member<BackwardArguments>{place_of("dv"), &BackwardArguments::dv},
    Member<BackwardArguments>{place_of("dinitial_state"), &BackwardArguments::dinitial_state}};
template <>
inline constexpr std::array members<DecodeArguments> = {
    Member<DecodeArguments>{place_of("q"), &DecodeArguments::q},
    Member<DecodeArguments>{place_of("k"), &DecodeArguments::k},
    Member<DecodeArguments>{place_of("v"), &DecodeArguments::v},
    Member<DecodeArguments>{place_of("state"), &DecodeArguments::state},
    Member<DecodeArguments>{place_of("state_read"), &DecodeArguments::state_read},
    Member<DecodeArguments>{place_of("state_write"), &DecodeArguments::state_write},
    Member<DecodeArguments>{place_of("start_positions"), &DecodeArguments::start_positions},
    Member<DecodeArguments>{place_of("o"), &DecodeArguments::o},
    Member<DecodeArguments>{place_of("token_states"), &DecodeArguments::token_states}};

// It refers to what it was made from.
struct GivenArguments {
  explicit GivenArguments(const ForwardArguments& from)
      : inputs(from.inputs), scalars(from.scalars), scale(from.scale), workspace(from.workspace) {
    place(from);
  }
  explicit GivenArguments(const BackwardArguments& from)
      : inputs(from.inputs), gradients(from.gradients), scalars(from.scalars), scale(from.scale),
        workspace(from.workspace) {
    place(from);
  }
  explicit GivenArguments(const DecodeArguments& from)
      : inputs(from.inputs), scalars(from.scalars), scale(from.scale), workspace(from.workspace) {
    place(from);
  }
  const Tensor*& at(int place) { return placed[static_cast<std::size_t>(place)]; }
  // Null where it is not given. `place` is that of its name; `named`: where it stands else.
  const Tensor* find(int place, std::span<const NamedTensor> named, std::string_view name) const {
    if (place != no_place) return placed[static_cast<std::size_t>(place)];
    for (const NamedTensor& each : named)
      if (each.name == name) return &each.tensor;
    return nullptr;
  }

  std::array<const Tensor*, placed_names.size()> placed{};
  std::span<const NamedTensor> inputs{}, gradients{};
  std::span<const NamedScalar> scalars{};
  double scale = 0;
  std::span<std::byte> workspace{};

 private:
  template <class Arguments> void place(const Arguments& from) {
    for (const auto& [place, member] : members<Arguments>) at(place) = &(from.*member);
  }
};

// Puts a tensor where its name belongs; `named`: the list for one that has no member.
template <class Arguments>
void bind_tensor(Arguments& arguments, std::vector<NamedTensor>& named, const std::string& name, const Tensor& tensor) {
  const int wanted = place_of(name);
  for (const auto& [place, member] : members<Arguments>)
    if (wanted != no_place && place == wanted) return void(arguments.*member = tensor);
  named.push_back({name, tensor});
}
template <class Arguments> void bind_tensor(Arguments& arguments, const std::string& name, const Tensor& tensor) {
  bind_tensor(arguments, arguments.inputs, name, tensor);
}
inline void bind_gradient(BackwardArguments& arguments, const std::string& name, const Tensor& tensor) {
  bind_tensor(arguments, arguments.gradients, name, tensor);
}

}  // namespace rankone
