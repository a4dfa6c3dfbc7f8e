// SPDX-License-Identifier: Apache-2.0
//
// The addon's table of contents. Loaded once per JavaScript environment (main thread and each worker); src/xdp/native.ts
// declares the same names with their types.
#include <memory>

#include <napi.h>

#include "authenticator.h"
#include "bpf_map.h"
#include "bpf_object.h"
#include "capabilities.h"
#include "datagram_socket.h"
#include "ethtool.h"
#include "hop_limit.h"
#include "link.h"
#include "namespace.h"
#include "netlink.h"
#include "packet_socket.h"
#include "repeat_sieve.h"
#include "resource.h"
#include "resting_beat.h"
#include "tcp_socket.h"
#include "umem.h"
#include "wait.h"
#include "xsk.h"

namespace {

#ifdef __SANITIZE_ADDRESS__
// The sanitizer's build proves that it would notice: reads one byte behind an allocation.
Napi::Value ReadBeyond(const Napi::CallbackInfo& info) {
  const std::unique_ptr<volatile char[]> memory(new volatile char[16]());
  return Napi::Number::New(info.Env(), memory[info.Length() + 16]);
}
#endif

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  sluice::Registry::Install(env);
  sluice::QuietLibraries();
  exports.Set("Umem", sluice::Umem::Define(env));
  exports.Set("Xsk", sluice::Xsk::Define(env));
  exports.Set("EventFd", sluice::EventFd::Define(env));
  exports.Set("BpfObject", sluice::BpfObject::Define(env));
  sluice::DefineMaps(env, exports);
  exports.Set("Link", sluice::Link::Define(env));
  exports.Set("NetlinkMonitor", sluice::NetlinkMonitor::Define(env));
  exports.Set("DatagramSocket", sluice::DatagramSocket::Define(env));
  exports.Set("Authenticator", sluice::Authenticator::Define(env));
  exports.Set("RepeatSieve", sluice::RepeatSieve::Define(env));
  exports.Set("RestingBeat", sluice::RestingBeat::Define(env));
  exports.Set("PacketSocket", sluice::PacketSocket::Define(env));
  sluice::DefineKick(env, exports);
  sluice::DefineWaits(env, exports);
  sluice::DefineTestRun(env, exports);
  sluice::DefineLinkQueries(env, exports);
  sluice::DefineEthtool(env, exports);
  sluice::DefineNamespace(env, exports);
  sluice::DefineNetlink(env, exports);
  sluice::DefineTcp(env, exports);
  sluice::DefineHopLimit(env, exports);
  sluice::DefineCapabilities(env, exports);
#ifdef __SANITIZE_ADDRESS__
  exports.Set("readBeyond", Napi::Function::New<ReadBeyond>(env));
#endif
  return exports;
}

}  // namespace

NODE_API_MODULE(sluice, Initialize)
