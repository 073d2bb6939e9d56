// SPDX-License-Identifier: MIT
// Whether a caller's tensors fit what a pass wants, and what sizes they give.
#include "runtime/tensor_check.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include <rankone/error.hpp>

#include "runtime/convert.hpp"

namespace rankone {
namespace {

constexpr double most_reach = 0x1p59;  // elements; 8 bytes each still fit in 64 bits

std::string list_text(const std::array<std::int64_t, max_rank>& numbers, int rank) {
  std::string text = "[";
  for (int i = 0; i < rank; ++i) text += (i > 0 ? ", " : "") + std::to_string(numbers[static_cast<std::size_t>(i)]);
  return text + "]";
}

std::string place_of(std::string_view where, const std::string& name) {
  return std::string(where) + ", tensor '" + name + "'";
}

// What an index of the first dimension stands for.
Tensor slot_of(Tensor tensor) {
  std::shift_left(tensor.shape.begin(), tensor.shape.end(), 1);
  std::shift_left(tensor.strides.begin(), tensor.strides.end(), 1);
  --tensor.rank;
  return tensor;
}

std::size_t rank_of(const Tensor& tensor) { return static_cast<std::size_t>(tensor.rank); }

bool is_empty(const Tensor& tensor) {
  return std::any_of(tensor.shape.begin(), tensor.shape.begin() + tensor.rank,
                     [](std::int64_t size) { return size == 0; });
}

// Whether two elements may share an address: with the strides in order, each has to pass over all that smaller ones
// reach.
bool overlaps(const Tensor& tensor) {
  std::array<std::pair<std::int64_t, std::int64_t>, max_rank> dimensions;  // stride, size
  std::size_t count = 0;
  for (std::size_t i = 0; i < rank_of(tensor); ++i) {
    if (tensor.shape[i] <= 1) continue;
    const std::pair next{std::abs(tensor.strides[i]), tensor.shape[i]};
    std::size_t at = count++;
    for (; at > 0 && next < dimensions[at - 1]; --at) dimensions[at] = dimensions[at - 1];
    dimensions[at] = next;
  }
  std::int64_t reach = 1;
  for (std::size_t i = 0; i < count; ++i) {
    if (dimensions[i].first < reach) return true;
    reach += dimensions[i].first * (dimensions[i].second - 1);  // check_kind has seen that this fits
  }
  return false;
}

}  // namespace

std::optional<TensorFault> rank_fault(const Tensor& tensor) {
  if (tensor.rank >= 0 && tensor.rank <= max_rank) return std::nullopt;
  return TensorFault{"the tensor has a rank that no tensor has", std::to_string(tensor.rank),
                     "0 to " + std::to_string(max_rank)};
}

std::optional<TensorFault> memory_fault(const Tensor& tensor) {
  double reach = 0;
  for (std::size_t i = 0; i < rank_of(tensor); ++i) {
    if (tensor.shape[i] < 0) return TensorFault{"a size is negative", shape_text(tensor), "sizes from 0"};
    if (tensor.shape[i] > 1)
      reach += static_cast<double>(tensor.shape[i]) * std::abs(static_cast<double>(tensor.strides[i]));
  }
  if (is_empty(tensor)) return std::nullopt;
  if (reach > most_reach)
    return TensorFault{"offsets do not fit in 64 bits", "strides " + list_text(tensor.strides, tensor.rank),
                       "strides that reach 2^59 elements at most"};
  if (tensor.data == nullptr)
    return TensorFault{"the pointer is null", shape_text(tensor), "memory that holds the elements, or no such tensor"};
  return std::nullopt;
}

void require_readable(const std::string& where, const Tensor& tensor) {
  std::optional<TensorFault> fault = rank_fault(tensor);
  if (!fault && tensor.type > dtype::i64)
    fault = TensorFault{"the tensor has a type that is none", "number " + std::to_string(static_cast<int>(tensor.type)),
                        type_list};
  if (!fault) fault = memory_fault(tensor);
  if (fault) throw Error(ErrorCode::invalid_argument, fault->message, fault->given, fault->accepted, where);
}

std::int64_t integer_at(const Tensor& list, std::int64_t i) {
  const std::int64_t at = i * list.strides[0];
  return list.type == dtype::i64 ? conversion::read<std::int64_t>(list.data, at)
                                 : std::int64_t{conversion::read<std::int32_t>(list.data, at)};
}

void require_writable(const std::string& name, const Tensor& tensor, std::string_view where) {
  if (tensor.read_only)
    throw Error(ErrorCode::invalid_argument, "a tensor that is written is a view of constant memory", "Tensor::view",
                "a Tensor of memory that may be written", place_of(where, name));
}

std::string shape_text(const Tensor& tensor) { return list_text(tensor.shape, tensor.rank); }

std::string Sizes::wanted(const Port& port) const {
  std::string text = "[";
  for (const Axis axis : port.axes) {
    text += std::string(text.size() > 1 ? ", " : "") + name_of(axis);
    if (knows(axis)) text += " = " + std::to_string((*this)[axis]);
  }
  return text + "]";
}

void Sizes::refuse(const std::string& name, std::string message, std::string given, std::string accepted) const {
  throw Error(ErrorCode::invalid_argument, std::move(message), std::move(given), std::move(accepted),
              place_of(where_, name));
}

void Sizes::check_kind(const Port& port, const Tensor& tensor) const {
  const auto types = [&] {
    if (port.rule != TypeRule::integer) return std::string(name_of(port.type));
    std::string list;
    for (const std::string& name : names_of(possible_types(port))) list += (list.empty() ? "" : ", ") + name;
    return list;
  };
  const auto from = [&] {
    if (port.rule == TypeRule::state) return std::string(", from state_dtype of the compile options");
    if (port.rule != TypeRule::own) return std::string();
    return std::string(", from input_types of the compile options or, without an entry there, ") +
           (port.role == PortRole::gate ? "the type of q" : "f32");
  };
  if (!is_given(tensor)) refuse(port.name, "the tensor is missing", "nothing", wanted(port) + " of " + types());
  if (!accepts(port, tensor.type)) refuse(port.name, "another type is wanted", name_of(tensor.type), types() + from());
  if (static_cast<std::size_t>(tensor.rank) != port.axes.size())
    refuse(port.name, "another rank is wanted", shape_text(tensor), wanted(port));
  if (const auto fault = memory_fault(tensor)) refuse(port.name, fault->message, fault->given, fault->accepted);
  if (is_empty(tensor)) return;
  if (const std::size_t beyond = reinterpret_cast<std::uintptr_t>(tensor.data) % size_of(tensor.type); beyond != 0)
    refuse(port.name, "the pointer is not aligned", "an address " + std::to_string(beyond) + " bytes past a multiple",
           "a multiple of " + std::to_string(size_of(tensor.type)) + " bytes");
}

void Sizes::check(const Port& port, const Tensor& tensor) {
  check_kind(port, tensor);
  if (port.writable) require_writable(port.name, tensor, where_);
  const auto fits = [&](std::size_t i) { return (*this)[port.axes[i]] == tensor.shape[i]; };
  for (std::size_t i = 0; i < port.axes.size(); ++i)
    if (knows(port.axes[i]) && !fits(i)) refuse(port.name, "the shape does not fit", shape_text(tensor), wanted(port));
  for (std::size_t i = 0; i < port.axes.size(); ++i) {
    set(port.axes[i], tensor.shape[i]);
    if (!fits(i))
      refuse(port.name, "a token's steps are not complete", shape_text(tensor), "as many for each of the T tokens");
  }
  const auto strides = [&] { return "strides " + list_text(tensor.strides, tensor.rank); };
  if (const std::size_t rank = rank_of(tensor); rank > 0 && tensor.shape[rank - 1] > 1 && tensor.strides[rank - 1] != 1)
    refuse(port.name, "the last dimension is not contiguous", strides(), "stride 1 in the last dimension");
  if (port.in_slots && !slot_of(tensor).contiguous())
    refuse(port.name, "a slot is not contiguous", strides(), "any stride of the first dimension, and no gaps within");
  if (port.contiguous && !port.in_slots && !tensor.contiguous())
    refuse(port.name, "the tensor is not contiguous", strides(), "a row-major tensor without gaps");
  if (port.writable && !is_empty(tensor) && overlaps(tensor))
    refuse(port.name, "elements of an output share memory", strides(), "strides under which no two elements meet");
}

void check_offsets(const Port& port, const Tensor& offsets, std::int64_t tokens, std::string_view where) {
  const auto at = [&](std::int64_t i) { return integer_at(offsets, i); };
  const auto refuse = [&](const char* message, std::int64_t i) {
    throw Error(ErrorCode::invalid_argument, message,
                port.name + "[" + std::to_string(i) + "] = " + std::to_string(at(i)),
                std::string("offsets that never decrease, between 0 and ") + name_of(port.counted) + " = " +
                    std::to_string(tokens),
                place_of(where, port.name));
  };
  for (std::int64_t i = 0; i < offsets.shape[0]; ++i) {
    if (at(i) < 0) refuse("an offset is negative", i);
    if (at(i) > tokens) refuse("an offset overruns the tokens", i);
    if (i > 0 && at(i) < at(i - 1)) refuse("offsets decrease", i);
  }
}

void check_row_slots(const RowSlots& rows, std::int64_t slots, std::string_view where) {
  const auto refuse = [&](const char* message, const std::string& given, std::string accepted, const char* name) {
    throw Error(ErrorCode::invalid_argument, message, given, std::move(accepted), place_of(where, name));
  };
  const auto text = [](const char* name, std::int64_t row) {
    return std::string(name) + "[" + std::to_string(row) + "] = ";
  };
  for (const auto& [name, list] : {std::pair{"state_read", &rows.read}, std::pair{"state_write", &rows.write}})
    for (std::int64_t n = 0; n < list->shape[0]; ++n)
      if (const std::int64_t slot = integer_at(*list, n); slot < -1 || slot >= slots)
        refuse("there is no such slot", text(name, n) + std::to_string(slot),
               "0 to P - 1 = " + std::to_string(slots - 1) + ", or -1 for a row that does nothing", name);
  std::map<std::int64_t, std::int64_t> writers;  // of slots
  for (std::int64_t n = 0; n < rows.write.shape[0]; ++n) {
    if (rows.is_idle(n)) continue;
    const std::int64_t slot = integer_at(rows.write, n);
    if (const auto [other, is_first] = writers.emplace(slot, n); !is_first)
      refuse("two rows write one slot",
             text("state_write", other->second) + text("state_write", n) + std::to_string(slot),
             "a slot of its own for each row that does something", "state_write");
  }
  for (std::int64_t n = 0; n < rows.read.shape[0]; ++n) {
    if (rows.is_idle(n)) continue;
    const std::int64_t slot = integer_at(rows.read, n);
    if (const auto writer = writers.find(slot); writer != writers.end() && writer->second != n)
      refuse("a row writes the slot that another reads",
             text("state_write", writer->second) + text("state_read", n) + std::to_string(slot),
             "slots to write that no other row reads", "state_write");
  }
}

void check_order(const Tensor& order, std::string_view where) {
  const std::int64_t tokens = order.shape[0];
  std::vector<bool> seen(static_cast<std::size_t>(tokens));
  const auto refuse = [&](const char* message, std::int64_t i) {
    throw Error(ErrorCode::invalid_argument, message,
                "order[" + std::to_string(i) + "] = " + std::to_string(integer_at(order, i)),
                "each token from 0 to T - 1 = " + std::to_string(tokens - 1) + " once", place_of(where, "order"));
  };
  for (std::int64_t i = 0; i < tokens; ++i) {
    const std::int64_t token = integer_at(order, i);
    if (token < 0 || token >= tokens) refuse("an order names a token that there is not", i);
    if (seen[static_cast<std::size_t>(token)]) refuse("an order names a token twice", i);
    seen[static_cast<std::size_t>(token)] = true;
  }
}

void check_start_positions(const Tensor& starts, const RowSlots* rows, std::string_view where) {
  constexpr std::int64_t most = std::int64_t{1} << 62;
  for (std::int64_t n = 0; n < starts.shape[0]; ++n)
    if (const std::int64_t start = integer_at(starts, n);
        (start < 0 || start > most) && (rows == nullptr || !rows->is_idle(n)))
      throw Error(ErrorCode::invalid_argument, "a start lies where no token can",
                  "start_positions[" + std::to_string(n) + "] = " + std::to_string(start), "0 to 2^62",
                  place_of(where, "start_positions"));
}

}  // namespace rankone
