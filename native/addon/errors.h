// SPDX-License-Identifier: Apache-2.0
//
// How the addon fails: always by throwing a JavaScript Error, never by exiting or aborting.
//
// An operating-system failure carries {syscall, errno, code, hint}: `code` is the errno's name ("EPERM"), `hint` says
// what a person can do about it. Its message is one sentence that names the interface, queue, program or file.
#pragma once

#include <string>

#include <napi.h>

namespace sluice {

// Throws. `what` is the attempt ("bind an AF_XDP socket to queue 0 of eth0"); `error` a positive errno. An empty hint
// is replaced by the usual one for that errno.
[[noreturn]] void Fail(Napi::Env env, const char* syscall, int error, const std::string& what,
                       const std::string& hint = "");

// Throws a TypeError: the caller broke the contract of this function.
[[noreturn]] void BadArgument(Napi::Env env, const std::string& message);

// Arguments, checked. `name` is the argument's name for the error.
uint32_t Uint32Argument(const Napi::CallbackInfo& info, size_t index, const char* name);
std::string StringArgument(const Napi::CallbackInfo& info, size_t index, const char* name);
// A file descriptor, or -1 where `optional`.
int FdArgument(const Napi::CallbackInfo& info, size_t index, const char* name);

struct Bytes {
  uint8_t* data;
  size_t length;
};

// The memory of any typed array (a view, not a copy) of at least `least` bytes.
Bytes BytesArgument(const Napi::CallbackInfo& info, size_t index, const char* name, size_t least = 0);
Bytes BytesOf(Napi::Value value, const char* name, size_t least = 0);

}  // namespace sluice
