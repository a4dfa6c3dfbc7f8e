// SPDX-License-Identifier: Apache-2.0
#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "errors.h"

namespace sluice {

namespace {

// IPv6 next header ICMPv6 without extension headers, type Neighbor Advertisement: offsets from the Ethernet header.
sock_filter kAdvertisements[] = {
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 58, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

}  // namespace

Napi::Function PacketSocket::Define(Napi::Env env) {
  return DefineClass(env, "PacketSocket",
                     {InstanceMethod<&PacketSocket::Send>("send"), InstanceMethod<&PacketSocket::Receive>("receive"),
                      InstanceMethod<&PacketSocket::GetFd>("fd"), InstanceMethod<&PacketSocket::CloseNow>("close")});
}

PacketSocket::PacketSocket(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kDescriptor) {
  Napi::Env env = info.Env();
  const std::string interface = StringArgument(info, 0, "interfaceName");
  const std::string kind = StringArgument(info, 1, "kind");
  if (kind != "arp" && kind != "ndp") BadArgument(env, "kind must be arp or ndp");
  const std::string what = "open a packet socket on " + interface;
  sockaddr_ll address = {};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(kind == "arp" ? ETH_P_ARP : ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) Fail(env, "if_nametoindex", errno, what);
  // Protocol 0 hears nothing, so that no frame comes in before the filter and the interface are set.
  fd_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd_.get() < 0) Fail(env, "socket(AF_PACKET)", errno, what);
  if (kind == "ndp") {
    sock_fprog program = {sizeof(kAdvertisements) / sizeof(kAdvertisements[0]), kAdvertisements};
    if (setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
      Fail(env, "setsockopt(SO_ATTACH_FILTER)", errno, what);
  }
  if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Fail(env, "bind", errno, what);
}

Napi::Value PacketSocket::Send(const Napi::CallbackInfo& info) {
  const Bytes frame = BytesArgument(info, 0, "frame", ETH_HLEN);
  const bool sent = send(fd_.get(), frame.data, frame.length, 0) >= 0;
  return Napi::Number::New(info.Env(), sent ? 0 : errno);
}

Napi::Value PacketSocket::Receive(const Napi::CallbackInfo& info) {
  const Bytes into = BytesArgument(info, 0, "into");
  const ssize_t got = recv(fd_.get(), into.data, into.length, 0);
  return Napi::Number::New(info.Env(), got > 0 ? static_cast<double>(got) : 0);
}

Napi::Value PacketSocket::GetFd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), fd_.get()); }

Napi::Value PacketSocket::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

}  // namespace sluice
