// SPDX-License-Identifier: Apache-2.0
#include "datagram_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "errors.h"

namespace sluice {

namespace {

// The octets of an address in network order, by its family.
socklen_t Fill(sockaddr_storage& into, const Bytes& address, uint16_t port) {
  if (address.length == sizeof(in_addr)) {
    auto& in = reinterpret_cast<sockaddr_in&>(into);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.data, sizeof(in_addr));
    return sizeof(in);
  }
  auto& in = reinterpret_cast<sockaddr_in6&>(into);
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  std::memcpy(&in.sin6_addr, address.data, sizeof(in6_addr));
  return sizeof(in);
}

Bytes AddressArgument(const Napi::CallbackInfo& info, size_t index) {
  const Bytes address = BytesArgument(info, index, "address");
  if (address.length != sizeof(in_addr) && address.length != sizeof(in6_addr))
    BadArgument(info.Env(), "an address has 4 or 16 octets");
  return address;
}

}  // namespace

Napi::Function DatagramSocket::Define(Napi::Env env) {
  return DefineClass(
      env, "DatagramSocket",
      {InstanceMethod<&DatagramSocket::Divert>("divert"), InstanceMethod<&DatagramSocket::Send>("send"),
       InstanceMethod<&DatagramSocket::Receive>("receive"), InstanceMethod<&DatagramSocket::CloseNow>("close")});
}

DatagramSocket::DatagramSocket(const Napi::CallbackInfo& info)
    : ObjectWrap(info), Resource(info.Env(), Rank::kDescriptor) {
  const Bytes address = AddressArgument(info, 0);
  own_length_ = Fill(own_, address, static_cast<uint16_t>(Uint32Argument(info, 1, "port")));
  fd_ = Bound(info.Env(), false);
}

Fd DatagramSocket::Bound(Napi::Env env, bool shared) const {
  const bool v6 = own_.ss_family == AF_INET6;
  const uint16_t port =
      v6 ? reinterpret_cast<const sockaddr_in6&>(own_).sin6_port : reinterpret_cast<const sockaddr_in&>(own_).sin_port;
  const std::string what = "receive on UDP port " + std::to_string(ntohs(port));
  const int on = 1;
  Fd fd(socket(own_.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) Fail(env, "socket(SOCK_DGRAM)", errno, what);
  if (v6 && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
    Fail(env, "setsockopt(IPV6_V6ONLY)", errno, what);
  if (shared && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
    Fail(env, "setsockopt(SO_REUSEPORT)", errno, what);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&own_), own_length_) != 0) Fail(env, "bind", errno, what);
  return fd;
}

// The port was taken alone, so nobody else has it, and is shared only now: with the second socket, and who comes later
// is refused unless he asks to share it too.
Napi::Value DatagramSocket::Divert(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string what = "divert datagrams";
  const int on = 1;
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
    Fail(env, "setsockopt(SO_REUSEPORT)", errno, what);
  Fd second = Bound(env, true);
  // The index of the socket in the group, in the order in which they were bound.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, Uint32Argument(info, 0, "offset")),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, Uint32Argument(info, 1, "mask"), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) != 0)
    Fail(env, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)", errno, what);
  return Napi::Number::New(env, second.Give());
}

Napi::Value DatagramSocket::Send(const Napi::CallbackInfo& info) {
  const Bytes datagram = BytesArgument(info, 0, "datagram");
  const Bytes address = AddressArgument(info, 1);
  sockaddr_storage to = {};
  const socklen_t length = Fill(to, address, static_cast<uint16_t>(Uint32Argument(info, 2, "port")));
  const ssize_t sent =
      sendto(fd_.get(), datagram.data, datagram.length, 0, reinterpret_cast<sockaddr*>(&to), length);
  return Napi::Number::New(info.Env(), sent >= 0 ? 0 : errno);
}

Napi::Value DatagramSocket::Receive(const Napi::CallbackInfo& info) {
  const Bytes into = BytesArgument(info, 0, "into");
  const ssize_t got = recv(fd_.get(), into.data, into.length, 0);
  return Napi::Number::New(info.Env(), static_cast<double>(got));
}

Napi::Value DatagramSocket::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

}  // namespace sluice
