// SPDX-License-Identifier: Apache-2.0
//
// One AF_XDP socket on one queue of one interface, with its four rings mapped for JavaScript to drive.
//
// Raw system calls rather than libxdp's xsk_*: those keep hidden per-process state, load a program of their own unless
// told not to, and unmap the rings where we must retire them (mapping.h).
#pragma once

#include <memory>
#include <string>

#include <napi.h>

#include "mapping.h"
#include "resource.h"
#include "umem.h"

namespace sluice {

class Xsk : public Napi::ObjectWrap<Xsk>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new Xsk(umem, interface, queue, bindFlags, frameSize, headroom, rxSize, txSize, fillSize, completionSize)
  explicit Xsk(const Napi::CallbackInfo& info);
  ~Xsk() override { Close(); }

 private:
  struct Ring {
    std::shared_ptr<Mapping> memory;
    double producer, consumer, flags, descriptors;
  };

  void Release() override;
  void SetRing(Napi::Env env, int option, const char* name, uint32_t size);
  void MapRings(Napi::Env env, const uint32_t sizes[4]);
  void Bind(Napi::Env env, Umem* umem, uint32_t interfaceIndex, uint32_t queue, uint16_t flags);
  Napi::Value GetFd(const Napi::CallbackInfo& info);
  Napi::Value GetZeroCopy(const Napi::CallbackInfo& info);
  Napi::Value GetRings(const Napi::CallbackInfo& info);
  Napi::Value Statistics(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  std::string where_;
  Ring rings_[4];
  Fd fd_;
  std::shared_ptr<std::vector<int>> bound_;
};

// Raw N-API functions for the hot loop (half the cost of a wrapped method): kick(fd).
void DefineKick(Napi::Env env, Napi::Object exports);

}  // namespace sluice
