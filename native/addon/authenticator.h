// SPDX-License-Identifier: Apache-2.0
//
// Codes by a key, for JavaScript.
#pragma once

#include <napi.h>

#include "hmac.h"

namespace sluice {

class Authenticator : public Napi::ObjectWrap<Authenticator> {
 public:
  static Napi::Function Define(Napi::Env env);
  // new Authenticator(key)
  explicit Authenticator(const Napi::CallbackInfo& info);

 private:
  // compute(octets, length, into): the code of the first `length` octets
  Napi::Value Compute(const Napi::CallbackInfo& info);

  Hmac hmac_;
};

}  // namespace sluice
