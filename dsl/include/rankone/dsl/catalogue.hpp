// SPDX-License-Identifier: MIT
// Every variant that ships, by name, and where it comes from.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include <rankone/dsl/source.hpp>
#include <rankone/dsl/variants/abc.hpp>
#include <rankone/dsl/variants/based.hpp>
#include <rankone/dsl/variants/comba.hpp>
#include <rankone/dsl/variants/cosformer.hpp>
#include <rankone/dsl/variants/delta.hpp>
#include <rankone/dsl/variants/delta_product.hpp>
#include <rankone/dsl/variants/dfw.hpp>
#include <rankone/dsl/variants/dig.hpp>
#include <rankone/dsl/variants/dplr.hpp>
#include <rankone/dsl/variants/edit.hpp>
#include <rankone/dsl/variants/gate_control.hpp>
#include <rankone/dsl/variants/gated_delta.hpp>
#include <rankone/dsl/variants/gated_oja.hpp>
#include <rankone/dsl/variants/gated_retention.hpp>
#include <rankone/dsl/variants/gateloop.hpp>
#include <rankone/dsl/variants/gdn2.hpp>
#include <rankone/dsl/variants/gla.hpp>
#include <rankone/dsl/variants/gla_sigmoid.hpp>
#include <rankone/dsl/variants/gsa.hpp>
#include <rankone/dsl/variants/hedgehog.hpp>
#include <rankone/dsl/variants/hgrn.hpp>
#include <rankone/dsl/variants/hgrn2.hpp>
#include <rankone/dsl/variants/iplr.hpp>
#include <rankone/dsl/variants/kda.hpp>
#include <rankone/dsl/variants/lightnet.hpp>
#include <rankone/dsl/variants/lightning.hpp>
#include <rankone/dsl/variants/linear.hpp>
#include <rankone/dsl/variants/linear_transformer.hpp>
#include <rankone/dsl/variants/lite_la.hpp>
#include <rankone/dsl/variants/mamba1.hpp>
#include <rankone/dsl/variants/mamba2.hpp>
#include <rankone/dsl/variants/mamba3.hpp>
#include <rankone/dsl/variants/mlstm.hpp>
#include <rankone/dsl/variants/performer.hpp>
#include <rankone/dsl/variants/rebased.hpp>
#include <rankone/dsl/variants/regla.hpp>
#include <rankone/dsl/variants/retnet.hpp>
#include <rankone/dsl/variants/rodimus.hpp>
#include <rankone/dsl/variants/rwkv5.hpp>
#include <rankone/dsl/variants/rwkv6.hpp>
#include <rankone/dsl/variants/rwkv7.hpp>
#include <rankone/dsl/variants/simple_gla.hpp>

namespace rankone {

// A variant, and what is to be said of it.
struct Entry : Variant {
  Source source{};
};

namespace variants {
inline constexpr std::array all{Entry{linear, linear_source},
                                Entry{retnet, retnet_source},
                                Entry{lightning, lightning_source},
                                Entry{gated_retention, gated_retention_source},
                                Entry{simple_gla, simple_gla_source},
                                Entry{mamba2, mamba2_source},
                                Entry{gla, gla_source},
                                Entry{gla_sigmoid, gla_sigmoid_source},
                                Entry{dig, dig_source},
                                Entry{hgrn2, hgrn2_source},
                                Entry{rodimus, rodimus_source},
                                Entry{lightnet, lightnet_source},
                                Entry{rwkv5, rwkv5_source},
                                Entry{rwkv6, rwkv6_source},
                                Entry{gateloop, gateloop_source},
                                Entry{dfw, dfw_source},
                                Entry{mamba1, mamba1_source},
                                Entry{hgrn, hgrn_source},
                                Entry{delta, delta_source},
                                Entry{gated_delta, gated_delta_source},
                                Entry{delta_product, delta_product_source},
                                Entry{comba, comba_source},
                                Entry{kda, kda_source},
                                Entry{gdn2, gdn2_source},
                                Entry{rwkv7, rwkv7_source},
                                Entry{dplr, dplr_source},
                                Entry{iplr, iplr_source},
                                Entry{gated_oja, gated_oja_source},
                                Entry{linear_transformer, linear_transformer_source},
                                Entry{performer, performer_source},
                                Entry{cosformer, cosformer_source},
                                Entry{hedgehog, hedgehog_source},
                                Entry{based, based_source},
                                Entry{rebased, rebased_source},
                                Entry{lite_la, lite_la_source},
                                Entry{edit, edit_source},
                                Entry{gate_control, gate_control_source},
                                Entry{regla, regla_source},
                                Entry{mlstm, mlstm_source},
                                Entry{mamba3, mamba3_source},
                                Entry{gsa, gsa_source},
                                Entry{abc, abc_source}};
}

// In the order of what they add: no decay, constant, per head, per key, other reads, phases and axes, erasures, normalisers,
// lagged writes, chains.
constexpr const auto& catalogue() { return variants::all; }

// Null where there is no such variant.
constexpr const Entry* find_variant(std::string_view name) {
  for (const Entry& entry : catalogue())
    if (entry.name.view() == name) return &entry;
  return nullptr;
}

// Throws Error(not_found) with the names that there are.
inline const Entry& variant_named(std::string_view name) {
  if (const Entry* found = find_variant(name)) return *found;
  std::string accepted;
  for (const Entry& entry : catalogue()) accepted += (accepted.empty() ? "" : ", ") + std::string(entry.name.view());
  throw Error(ErrorCode::not_found, "there is no variant of this name", std::string(name), accepted, "catalogue");
}

}  // namespace rankone
