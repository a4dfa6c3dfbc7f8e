// SPDX-License-Identifier: Apache-2.0
//
// Frames of one interface beside the AF_XDP sockets: what announces addresses on a link and hears others do so.
#pragma once

#include <napi.h>

#include "resource.h"

namespace sluice {

class PacketSocket : public Napi::ObjectWrap<PacketSocket>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new PacketSocket(interfaceName, kind): "arp" hears all ARP, "ndp" Neighbor Advertisements; both send anything
  explicit PacketSocket(const Napi::CallbackInfo& info);
  ~PacketSocket() override { Close(); }

 private:
  void Release() override { fd_.Reset(); }
  // send(frame): 0 or the errno; a link that is down is a normal day
  Napi::Value Send(const Napi::CallbackInfo& info);
  // receive(into): the length of the next frame, 0 when there is none
  Napi::Value Receive(const Napi::CallbackInfo& info);
  // fd(): it is readable while a frame is there
  Napi::Value GetFd(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd fd_;
};

}  // namespace sluice
