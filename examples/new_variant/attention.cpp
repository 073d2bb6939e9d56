// SPDX-License-Identifier: MIT
#include "attention.hpp"

#include <algorithm>
#include <string_view>

#include "../support/floats.hpp"
#include "variant.hpp"

namespace new_variant {
namespace {

using rankone::Buffer;
using rankone::dtype;
using rankone::Tensor;

class Generated : public Attention {
 public:
  Generated(const rankone::Device& device, const Sizes& sizes)
      : device_(device), sizes_(sizes), op_(rankone::compile(hyperbolic,
                                                             {.key_dim = int(sizes.key_dim),
                                                              .value_dim = int(sizes.value_dim),
                                                              .dtype = dtype::f32,
                                                              .precision = rankone::Precision::f32},
                                                             device)),
        forward_space_(device, op_.workspace_bytes(shape())),
        backward_space_(device, op_.workspace_bytes(shape(), rankone::Pass::backward)) {}

  Vector forward(const Inputs& inputs) override {
    const There there = upload(inputs);
    const Buffer o(device_, there.v.size());
    op_.forward({.q = keys(there.q),
                 .k = keys(there.k),
                 .v = values(there.v),
                 .inputs = {{"x", keys(there.x)}, {"rate", rate(there.rate)}},
                 .o = values(o),
                 .workspace = forward_space_.bytes()});
    return support::download(o, dtype::f32);
  }

  Gradients backward(const Inputs& inputs, const Vector& slope) override {
    const There there = upload(inputs);
    const Buffer slope_there = support::upload(device_, slope, dtype::f32);
    const Buffer dq(device_, there.q.size()), dk(device_, there.k.size()), dv(device_, there.v.size()),
        dx(device_, there.x.size()), drate(device_, there.rate.size());
    op_.backward({.q = keys(there.q),
                  .k = keys(there.k),
                  .v = values(there.v),
                  .inputs = {{"x", keys(there.x)}, {"rate", rate(there.rate)}},
                  .do_ = values(slope_there),
                  .dq = keys(dq),
                  .dk = keys(dk),
                  .dv = values(dv),
                  .gradients = {{"dx", keys(dx)}, {"drate", rate(drate)}},
                  .workspace = backward_space_.bytes()});
    const auto back = [](const Buffer& buffer) { return support::download(buffer, dtype::f32); };
    return {back(dq), back(dk), back(dv), back(dx), back(drate)};
  }

  std::string name() const override { return device_.name(); }

 private:
  struct There {
    Buffer q, k, v, x, rate;
  };
  There upload(const Inputs& inputs) const {
    const auto there = [&](const Vector& values) { return support::upload(device_, values, dtype::f32); };
    return {there(inputs.q), there(inputs.k), there(inputs.v), there(inputs.x), there(inputs.rate)};
  }
  rankone::Shape shape() const { return {.batch = sizes_.batch, .tokens = sizes_.tokens, .heads = sizes_.heads}; }
  Tensor keys(const Buffer& buffer) const {
    return buffer.tensor(dtype::f32, {sizes_.batch, sizes_.tokens, sizes_.heads, sizes_.key_dim});
  }
  Tensor values(const Buffer& buffer) const {
    return buffer.tensor(dtype::f32, {sizes_.batch, sizes_.tokens, sizes_.heads, sizes_.value_dim});
  }
  Tensor rate(const Buffer& buffer) const { return buffer.tensor(dtype::f32, {sizes_.heads, sizes_.key_dim}); }

  rankone::Device device_;
  Sizes sizes_;
  rankone::Operator op_;
  Buffer forward_space_, backward_space_;
};

class Oracle : public Attention {
 public:
  explicit Oracle(const Sizes& sizes) : sizes_(sizes) {}

  Vector forward(const Inputs& inputs) override {
    const auto outputs = rankone::oracle(hyperbolic, {.q = keys(inputs.q),
                                                      .k = keys(inputs.k),
                                                      .v = values(inputs.v),
                                                      .inputs = {{"x", keys(inputs.x)}, {"rate", rate(inputs.rate)}}});
    return floats(outputs.o);
  }

  Gradients backward(const Inputs& inputs, const Vector& slope) override {
    const auto all =
        rankone::oracle_gradients(hyperbolic, {.q = keys(inputs.q),
                                               .k = keys(inputs.k),
                                               .v = values(inputs.v),
                                               .inputs = {{"x", keys(inputs.x)}, {"rate", rate(inputs.rate)}},
                                               .do_ = values(slope)});
    const auto of = [&](std::string_view name) {
      return floats(std::ranges::find(all, name, &rankone::NamedOracleTensor::name)->tensor);
    };
    return {of("dq"), of("dk"), of("dv"), of("dx"), of("drate")};
  }

  std::string name() const override { return "the oracle, in float64"; }

 private:
  Tensor keys(const Vector& all) const {
    return Tensor::of(all.data(), {sizes_.batch, sizes_.tokens, sizes_.heads, sizes_.key_dim});
  }
  Tensor values(const Vector& all) const {
    return Tensor::of(all.data(), {sizes_.batch, sizes_.tokens, sizes_.heads, sizes_.value_dim});
  }
  Tensor rate(const Vector& all) const { return Tensor::of(all.data(), {sizes_.heads, sizes_.key_dim}); }
  static Vector floats(const rankone::OracleTensor& tensor) { return {tensor.values.begin(), tensor.values.end()}; }

  Sizes sizes_;
};

}  // namespace

std::unique_ptr<Attention> generated_attention(const rankone::Device& device, const Sizes& sizes) {
  return std::make_unique<Generated>(device, sizes);
}
std::unique_ptr<Attention> oracle_attention(const Sizes& sizes) { return std::make_unique<Oracle>(sizes); }

}  // namespace new_variant
