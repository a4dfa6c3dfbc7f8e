// SPDX-License-Identifier: Apache-2.0
#include "errors.h"

#include <cerrno>
#include <cmath>
#include <cstring>

namespace sluice {

namespace {

const char* UsualHint(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return "run as root, or give the process CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON";
    case ENOMEM:
    case ENOBUFS:
      return "not enough (locked) memory: use fewer frames or flows, or raise `ulimit -l`";
    case ENODEV:
    case ENXIO:
      return "check the name with `ip link` in the network namespace of this process";
    case EMFILE:
    case ENFILE:
      return "too many open files: raise `ulimit -n`";
    case ENOSYS:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
      return "this kernel was built without the feature";
    default:
      return "";
  }
}

const char* Name(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? "EUNKNOWN" : name;
}

}  // namespace

void Fail(Napi::Env env, const char* syscall, int error, const std::string& what, const std::string& hint) {
  const std::string code = Name(error);
  const char* reason = strerrordesc_np(error);
  Napi::Error failure =
      Napi::Error::New(env, "cannot " + what + ": " + (reason == nullptr ? code : reason) + " (" + code + ")");
  failure.Set("syscall", Napi::String::New(env, syscall));
  failure.Set("errno", Napi::Number::New(env, error));
  failure.Set("code", Napi::String::New(env, code));
  failure.Set("hint", Napi::String::New(env, hint.empty() ? UsualHint(error) : hint));
  throw failure;
}

void BadArgument(Napi::Env env, const std::string& message) { throw Napi::TypeError::New(env, message); }

uint32_t Uint32Argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info.Length() > index && info[index].IsNumber()) {
    const double value = info[index].As<Napi::Number>().DoubleValue();
    if (value >= 0 && value <= 4294967295.0 && value == std::floor(value)) return static_cast<uint32_t>(value);
  }
  BadArgument(info.Env(), std::string(name) + " must be an integer from 0 to 4294967295");
}

std::string StringArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info.Length() <= index || !info[index].IsString()) BadArgument(info.Env(), std::string(name) + " must be a string");
  return info[index].As<Napi::String>().Utf8Value();
}

int FdArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info.Length() > index && info[index].IsNumber()) {
    const double value = info[index].As<Napi::Number>().DoubleValue();
    if (value >= -1 && value <= 2147483647.0 && value == std::floor(value)) return static_cast<int>(value);
  }
  BadArgument(info.Env(), std::string(name) + " must be a file descriptor");
}

Bytes BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name, size_t least) {
  return BytesOf(info[index], name, least);
}

Bytes BytesOf(Napi::Value value, const char* name, size_t least) {
  const Napi::Env env = value.Env();
  // napi_get_typedarray_info instead of TypedArray::ArrayBuffer(): the latter refuses shared memory.
  napi_typedarray_type type;
  size_t elements = 0;
  void* data = nullptr;
  if (!value.IsTypedArray() ||
      napi_get_typedarray_info(env, value, &type, &elements, &data, nullptr, nullptr) != napi_ok)
    BadArgument(env, std::string(name) + " must be a typed array");
  const size_t length = value.As<Napi::TypedArray>().ByteLength();
  if (length < least) BadArgument(env, std::string(name) + " must have at least " + std::to_string(least) + " bytes");
  return {static_cast<uint8_t*>(data), length};
}

}  // namespace sluice
