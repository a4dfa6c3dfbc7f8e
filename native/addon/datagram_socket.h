// SPDX-License-Identifier: Apache-2.0
//
// UDP without events: datagrams are taken and sent in turns of the caller's choosing, so that five hundred small ones a
// second do not wake a thread as often.
#pragma once

#include <sys/socket.h>

#include <napi.h>

#include "errors.h"
#include "resource.h"

namespace sluice {

// Room for datagrams: each has an equal part of the octets.
struct DatagramRoom {
  uint8_t* octets;
  int32_t* lengths;
  // Milliseconds since it came, by the wall clock, which may have been set meanwhile.
  double* ages;
  size_t slots;
  size_t longest;

  // As long as the arrays live.
  static DatagramRoom Of(Napi::Value octets, Napi::Value lengths, Napi::Value ages);
  Bytes At(size_t index) const;
};

class DatagramSocket : public Napi::ObjectWrap<DatagramSocket>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new DatagramSocket(address, port): bound to it, for the family of the address alone
  explicit DatagramSocket(const Napi::CallbackInfo& info);
  ~DatagramSocket() override { Close(); }

  size_t AddressOctets() const;
  // Null for a value that is none.
  static DatagramSocket* From(Napi::Value value);
  // To how many it could not be sent.
  size_t SendTo(const Bytes& datagram, const Bytes& addresses, uint16_t port);
  // How many have come, the oldest first; cut to the room that there is.
  size_t Take(const DatagramRoom& room);

 private:
  void Release() override { fd_.Reset(); }
  // divert(offset, mask): from now on datagrams with a bit of the mask in the octet at the offset go to a second socket of
  // the same address; its descriptor, which is the caller's
  Napi::Value Divert(const Napi::CallbackInfo& info);
  // send(datagram, addresses, port): to how many it could not be sent; each address has 4 or 16 octets, as the socket's
  // family has
  Napi::Value Send(const Napi::CallbackInfo& info);
  // receive(octets, lengths, ages): what Take() does
  Napi::Value Receive(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd Bound(Napi::Env env, bool shared) const;

  sockaddr_storage own_ = {};
  socklen_t own_length_ = 0;
  Fd fd_;
};

}  // namespace sluice
