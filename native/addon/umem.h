// SPDX-License-Identifier: Apache-2.0
//
// The packet memory of one or more AF_XDP sockets. It is plain memory: the first socket registers it with the kernel,
// the later ones share that registration through any socket still bound (XDP_SHARED_UMEM).
#pragma once

#include <memory>
#include <vector>

#include <napi.h>

#include "mapping.h"
#include "resource.h"

namespace sluice {

class Umem : public Napi::ObjectWrap<Umem>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // The Umem behind a JavaScript object, or nullptr when it is something else.
  static Umem* From(Napi::Value value);
  // new Umem(lengthBytes)
  explicit Umem(const Napi::CallbackInfo& info);
  ~Umem() override { Close(); }

  const std::shared_ptr<Mapping>& memory() const { return memory_; }
  // Descriptors of the sockets now bound to this memory.
  std::shared_ptr<std::vector<int>> bound() const { return bound_; }

 private:
  void Release() override { memory_->Retire(); }
  Napi::Value Buffer(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  std::shared_ptr<Mapping> memory_;
  std::shared_ptr<std::vector<int>> bound_ = std::make_shared<std::vector<int>>();
};

}  // namespace sluice
