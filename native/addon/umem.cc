// SPDX-License-Identifier: Apache-2.0
#include "umem.h"

#include <cerrno>
#include <cmath>

#include "errors.h"

namespace sluice {

namespace {
constexpr napi_type_tag kUmemTag = {0x5c1ce0d1a7a9b001ULL, 0x0000000000000001ULL};
}

Napi::Function Umem::Define(Napi::Env env) {
  return DefineClass(env, "Umem",
                     {InstanceMethod<&Umem::Buffer>("buffer"), InstanceMethod<&Umem::CloseNow>("close")});
}

Umem* Umem::From(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kUmemTag)) return nullptr;
  return Unwrap(value.As<Napi::Object>());
}

Umem::Umem(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kMemory) {
  const double length = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(length >= 4096 && length <= 1e12) || std::fmod(length, 4096) != 0)
    BadArgument(info.Env(), "the length of a Umem must be a multiple of 4096 bytes");
  memory_ = Mapping::Anonymous(static_cast<size_t>(length));
  if (memory_ == nullptr)
    Fail(info.Env(), "mmap", errno, "allocate " + std::to_string(static_cast<size_t>(length)) + " bytes of packet memory");
  info.This().As<Napi::Object>().TypeTag(&kUmemTag);
}

Napi::Value Umem::Buffer(const Napi::CallbackInfo& info) { return Expose(info.Env(), memory_); }

Napi::Value Umem::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

}  // namespace sluice
