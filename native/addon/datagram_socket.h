// SPDX-License-Identifier: Apache-2.0
//
// UDP without events: datagrams are taken and sent in turns of the caller's choosing, so that five hundred small ones a
// second do not wake a thread as often (`npm run bench -- l2`).
#pragma once

#include <sys/socket.h>

#include <napi.h>

#include "resource.h"

namespace sluice {

class DatagramSocket : public Napi::ObjectWrap<DatagramSocket>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new DatagramSocket(address, port): bound to it, for the family of the address alone
  explicit DatagramSocket(const Napi::CallbackInfo& info);
  ~DatagramSocket() override { Close(); }

 private:
  void Release() override { fd_.Reset(); }
  // divert(offset, mask): from now on datagrams with a bit of the mask in the octet at the offset go to a second socket of
  // the same address; its descriptor, which is the caller's
  Napi::Value Divert(const Napi::CallbackInfo& info);
  // send(datagram, addresses, port): to how many it could not be sent; each address has 4 or 16 octets, as the socket's
  // family has
  Napi::Value Send(const Napi::CallbackInfo& info);
  // receive(into, lengths, ages): how many have come, as many as there are lengths at most. Each has an equal part of
  // `into`, and is cut to it. Ages are in milliseconds of the wall clock, which may have been set meanwhile
  Napi::Value Receive(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd Bound(Napi::Env env, bool shared) const;

  sockaddr_storage own_ = {};
  socklen_t own_length_ = 0;
  Fd fd_;
};

}  // namespace sluice
