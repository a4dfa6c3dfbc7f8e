// SPDX-License-Identifier: Apache-2.0
//
// One BPF map through a descriptor of its own. Sizes come from the kernel, so every key and value buffer is checked
// against them before a system call sees its address.
#pragma once

#include <memory>
#include <string>

#include <napi.h>

#include "errors.h"
#include "mapping.h"
#include "resource.h"

namespace sluice {

class BpfMap : public Napi::ObjectWrap<BpfMap>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new BpfMap(fd): duplicates the descriptor, which may come from another thread.
  explicit BpfMap(const Napi::CallbackInfo& info);
  ~BpfMap() override { Close(); }

 private:
  void Release() override;
  void RequireOpen(Napi::Env env) const;
  Napi::Value Describe(const Napi::CallbackInfo& info);
  Napi::Value Lookup(const Napi::CallbackInfo& info);
  Napi::Value Update(const Napi::CallbackInfo& info);
  Napi::Value Delete(const Napi::CallbackInfo& info);
  Napi::Value NextKey(const Napi::CallbackInfo& info);
  Napi::Value UpdateBatch(const Napi::CallbackInfo& info);
  Napi::Value LookupBatch(const Napi::CallbackInfo& info);
  Napi::Value DeleteBatch(const Napi::CallbackInfo& info);
  Napi::Value Map(const Napi::CallbackInfo& info);
  Napi::Value MapRing(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);
  Bytes Keys(const Napi::CallbackInfo& info, size_t index, size_t count = 1) const;
  Bytes Values(const Napi::CallbackInfo& info, size_t index, size_t count = 1) const;

  Fd fd_;
  std::string name_;
  uint32_t type_ = 0;
  uint32_t key_size_ = 0;
  size_t value_size_ = 0;  // of a lookup: all CPUs' values for a per-CPU map
  uint32_t max_entries_ = 0;
  uint32_t flags_ = 0;
  std::shared_ptr<Mapping> memory_;
  std::shared_ptr<Mapping> consumer_;  // of a ring buffer: its first page
};

// The class, and what makes or finds maps for it.
void DefineMaps(Napi::Env env, Napi::Object exports);

}  // namespace sluice
