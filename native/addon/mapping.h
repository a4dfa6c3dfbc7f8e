// SPDX-License-Identifier: Apache-2.0
//
// Memory that is mapped once and seen from JavaScript as an external ArrayBuffer.
//
// Closing must let go of the kernel object behind the mapping at once (a mapped ring keeps its socket, and so its
// queue, busy), but JavaScript may still hold views. So Retire() puts anonymous zero pages over the same addresses in
// one atomic step: the kernel object is free, stale views read zeros instead of faulting, and the addresses are given
// back when the last ArrayBuffer is collected. (Detaching the buffers instead would make V8 drop its "no buffer was ever
// detached" assumption, and with it the optimised code of every typed array access in that thread.)
#pragma once

#include <memory>

#include <napi.h>

namespace sluice {

class Mapping {
 public:
  // mmap(2), shared or anonymous; nullptr with errno set on failure.
  static std::shared_ptr<Mapping> Anonymous(size_t length);
  static std::shared_ptr<Mapping> OfFile(int fd, size_t length, uint64_t offset, int extraFlags, bool writable = true);
  Mapping(void* address, size_t length) : address_(address), length_(length) {}
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  void* address() const { return address_; }
  size_t length() const { return length_; }
  void Retire();

 private:
  void* address_;
  size_t length_;
  bool retired_ = false;
};

// An ArrayBuffer over the whole mapping, which lives at least as long.
Napi::ArrayBuffer Expose(Napi::Env env, const std::shared_ptr<Mapping>& mapping);

}  // namespace sluice
