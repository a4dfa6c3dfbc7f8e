// SPDX-License-Identifier: Apache-2.0
#include "mapping.h"

#include <sys/mman.h>

namespace sluice {

std::shared_ptr<Mapping> Mapping::Anonymous(size_t length) {
  void* address = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return nullptr;
  // Best effort: huge pages took 15-40 % off the pipeline's cost where memory is large (bench/).
  madvise(address, length, MADV_HUGEPAGE);
  // A forked child (a started process) must not copy pages that a NIC writes to.
  madvise(address, length, MADV_DONTFORK);
  return std::make_shared<Mapping>(address, length);
}

std::shared_ptr<Mapping> Mapping::OfFile(int fd, size_t length, uint64_t offset, int extraFlags, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* address = mmap(nullptr, length, protection, MAP_SHARED | extraFlags, fd, static_cast<off_t>(offset));
  if (address == MAP_FAILED) return nullptr;
  return std::make_shared<Mapping>(address, length);
}

Mapping::~Mapping() { munmap(address_, length_); }

void Mapping::Retire() {
  if (retired_) return;
  retired_ = true;
  mmap(address_, length_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

Napi::ArrayBuffer Expose(Napi::Env env, const std::shared_ptr<Mapping>& mapping) {
  auto* keeper = new std::shared_ptr<Mapping>(mapping);
  return Napi::ArrayBuffer::New(
      env, mapping->address(), mapping->length(),
      [](Napi::Env, void*, std::shared_ptr<Mapping>* held) { delete held; }, keeper);
}

}  // namespace sluice
