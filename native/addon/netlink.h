// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink's plumbing; src/xdp/ encodes and decodes the messages.
#pragma once

#include <thread>

#include <napi.h>

#include "resource.h"

namespace sluice {

// Notifications of multicast groups, as a stream of netlink messages on one end of a socket pair, which JavaScript
// wraps in a net.Socket. A thread moves them there: Node's event loop takes sockets of families it knows only.
//
//   kernel -> netlink socket -> thread -> socket pair -> net.Socket
//
// When the reader is slow the thread waits, the kernel's queue overflows, and an NLMSG_OVERRUN message in the stream
// tells the reader to ask for everything anew.
class NetlinkMonitor : public Napi::ObjectWrap<NetlinkMonitor>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new NetlinkMonitor(groups: number[])
  explicit NetlinkMonitor(const Napi::CallbackInfo& info);
  ~NetlinkMonitor() override { Close(); }

 private:
  void Release() override;
  void Run();
  bool Forward(const uint8_t* data, size_t length);
  // Gives the reader's end away: its new owner closes it.
  Napi::Value TakeFd(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd netlink_;
  Fd writer_;
  Fd reader_;
  Fd stop_;
  std::thread thread_;
};

// netlinkRequest(message: Uint8Array, what: string) -> Uint8Array: sends one message, whose flags say whether it is a
// dump, and returns the answers end to end without the final NLMSG_DONE or acknowledgement.
void DefineNetlink(Napi::Env env, Napi::Object exports);

}  // namespace sluice
