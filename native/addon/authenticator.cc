// SPDX-License-Identifier: Apache-2.0
#include "authenticator.h"

#include "errors.h"

namespace sluice {

Napi::Function Authenticator::Define(Napi::Env env) {
  return DefineClass(env, "Authenticator", {InstanceMethod<&Authenticator::Compute>("compute")});
}

Authenticator::Authenticator(const Napi::CallbackInfo& info) : ObjectWrap(info), hmac_(info, 0) {}

Napi::Value Authenticator::Compute(const Napi::CallbackInfo& info) {
  const Bytes octets = BytesArgument(info, 0, "octets");
  const size_t length = Uint32Argument(info, 1, "length");
  const Bytes into = BytesArgument(info, 2, "into", Hmac::kOctets);
  if (length > octets.length) BadArgument(info.Env(), "there are fewer octets than that");
  if (!hmac_.Compute(octets.data, length, into.data)) throw Napi::Error::New(info.Env(), "cannot compute a code by SHA-256");
  return info.Env().Undefined();
}

}  // namespace sluice
