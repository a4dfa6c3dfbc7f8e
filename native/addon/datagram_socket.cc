// SPDX-License-Identifier: Apache-2.0
#include "datagram_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "errors.h"

namespace sluice {

namespace {

// Datagrams by one call; as many sockets addresses and headers are on the stack.
constexpr size_t kBatch = 64;

constexpr napi_type_tag kSocketTag = {0x5c1ce0d1a7a9b001ULL, 0x0000000000000002ULL};

// Room for what hundreds of members say while the caller is kept waiting, or all of them have news at once.
constexpr int kReceiveBufferBytes = 4 << 20;

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

// Room for the time at which a datagram came.
struct Stamp {
  alignas(cmsghdr) uint8_t octets[CMSG_SPACE(sizeof(timespec))];
};

// 0 where the kernel says nothing.
double AgeMilliseconds(msghdr& message, const timespec& now) {
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec came = {};
    std::memcpy(&came, CMSG_DATA(one), sizeof(came));
    return static_cast<double>(now.tv_sec - came.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec - came.tv_nsec) / 1e6;
  }
  return 0;
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
  const int on = 1;
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0)
    Fail(info.Env(), "setsockopt(SO_TIMESTAMPNS)", errno, "know when datagrams come");
  info.This().As<Napi::Object>().TypeTag(&kSocketTag);
}

DatagramSocket* DatagramSocket::From(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kSocketTag)) return nullptr;
  return Unwrap(value.As<Napi::Object>());
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
  // Without CAP_NET_ADMIN the default has to do.
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof(kReceiveBufferBytes));
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

size_t DatagramSocket::AddressOctets() const {
  return own_.ss_family == AF_INET6 ? sizeof(in6_addr) : sizeof(in_addr);
}

Napi::Value DatagramSocket::Send(const Napi::CallbackInfo& info) {
  const Bytes datagram = BytesArgument(info, 0, "datagram");
  const Bytes addresses = BytesArgument(info, 1, "addresses");
  if (addresses.length % AddressOctets() != 0) BadArgument(info.Env(), "addresses are of the family of the socket");
  const auto port = static_cast<uint16_t>(Uint32Argument(info, 2, "port"));
  return Napi::Number::New(info.Env(), static_cast<double>(SendTo(datagram, addresses, port)));
}

size_t DatagramSocket::SendTo(const Bytes& datagram, const Bytes& addresses, uint16_t port) {
  const size_t octets = AddressOctets();
  iovec content = {datagram.data, datagram.length};
  sockaddr_storage to[kBatch];
  mmsghdr messages[kBatch];
  const size_t count = addresses.length / octets;
  size_t unsent = 0;
  for (size_t begin = 0; begin < count; begin += kBatch) {
    const size_t batch = std::min(kBatch, count - begin);
    for (size_t i = 0; i < batch; i++) {
      to[i] = {};
      messages[i] = {};
      messages[i].msg_hdr.msg_name = &to[i];
      messages[i].msg_hdr.msg_namelen = Fill(to[i], {addresses.data + (begin + i) * octets, octets}, port);
      messages[i].msg_hdr.msg_iov = &content;
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    // It stops before the first that can't be sent: the others have nothing to do with that one.
    for (size_t done = 0; done < batch;) {
      const int sent = sendmmsg(fd_.get(), messages + done, static_cast<unsigned>(batch - done), 0);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) unsent++;
      done += sent > 0 ? static_cast<size_t>(sent) : 1;
    }
  }
  return unsent;
}

DatagramRoom DatagramRoom::Of(Napi::Value octets, Napi::Value lengths, Napi::Value ages) {
  const Bytes room = BytesOf(octets, "octets");
  const Bytes of_each = BytesOf(lengths, "lengths");
  const size_t slots = of_each.length / sizeof(int32_t);
  if (slots == 0) BadArgument(octets.Env(), "there is room for no datagram");
  const Bytes since = BytesOf(ages, "ages", slots * sizeof(double));
  return {room.data, reinterpret_cast<int32_t*>(of_each.data), reinterpret_cast<double*>(since.data), slots,
          room.length / slots};
}

Bytes DatagramRoom::At(size_t index) const {
  return {octets + index * longest, std::min(static_cast<size_t>(std::max(lengths[index], 0)), longest)};
}

Napi::Value DatagramSocket::Receive(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Take(DatagramRoom::Of(info[0], info[1], info[2]))));
}

size_t DatagramSocket::Take(const DatagramRoom& room) {
  iovec contents[kBatch];
  mmsghdr messages[kBatch];
  Stamp stamps[kBatch];
  size_t taken = 0;
  while (taken < room.slots) {
    const size_t batch = std::min(kBatch, room.slots - taken);
    for (size_t i = 0; i < batch; i++) {
      contents[i] = {room.octets + (taken + i) * room.longest, room.longest};
      messages[i] = {};
      messages[i].msg_hdr.msg_iov = &contents[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_control = stamps[i].octets;
      messages[i].msg_hdr.msg_controllen = sizeof(stamps[i].octets);
    }
    const int got = recvmmsg(fd_.get(), messages, static_cast<unsigned>(batch), MSG_DONTWAIT, nullptr);
    timespec now = {};
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < got; i++) {
      room.lengths[taken] = static_cast<int32_t>(messages[i].msg_len);
      room.ages[taken++] = AgeMilliseconds(messages[i].msg_hdr, now);
    }
    if (got < static_cast<int>(batch)) break;
  }
  return taken;
}

Napi::Value DatagramSocket::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

}  // namespace sluice
