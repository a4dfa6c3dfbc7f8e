// SPDX-License-Identifier: Apache-2.0
#include "hop_limit.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "errors.h"
#include "resource.h"

namespace sluice {

namespace {

// IP_MINTTL and IPV6_MINHOPCOUNT of the kernel's headers, which do not mix with libc's.
constexpr int kIpMinTtl = 21;
constexpr int kIpv6MinHopCount = 73;

bool IsIpv6(const Napi::CallbackInfo& info) {
  const uint32_t family = Uint32Argument(info, 1, "family");
  if (family != 4 && family != 6) BadArgument(info.Env(), "family must be 4 or 6");
  return family == 6;
}

Napi::Value SetHopLimit(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = FdArgument(info, 0, "fd");
  const bool v6 = IsIpv6(info);
  const int ttl = static_cast<int>(Uint32Argument(info, 2, "ttl"));
  const int min_ttl = static_cast<int>(Uint32Argument(info, 3, "minTtl"));
  const int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (ttl != 0 && setsockopt(fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &ttl, sizeof(ttl)) != 0)
    Fail(env, "setsockopt", errno, "set the TTL of a socket");
  if (min_ttl != 0 && setsockopt(fd, level, v6 ? kIpv6MinHopCount : kIpMinTtl, &min_ttl, sizeof(min_ttl)) != 0)
    Fail(env, "setsockopt", errno, "set the least TTL that a socket takes");
  return env.Undefined();
}

// The kernel has no minimum TTL for UDP, but a filter of the socket can read the IP header.
Napi::Value RequireHopLimit(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = FdArgument(info, 0, "fd");
  const bool v6 = IsIpv6(info);
  const uint32_t least = Uint32Argument(info, 2, "minTtl");
  const uint32_t offset = static_cast<uint32_t>(SKF_NET_OFF) + (v6 ? 7 : 8);
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offset),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, least, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
    Fail(env, "setsockopt(SO_ATTACH_FILTER)", errno, "check the TTL of received packets");
  return env.Undefined();
}

Napi::Value SendIcmp6(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string interface = StringArgument(info, 0, "interfaceName");
  const std::string destination = StringArgument(info, 1, "destination");
  const Bytes message = BytesArgument(info, 2, "message");
  const std::string what = "send ICMPv6 to " + destination + " on " + interface;
  sockaddr_in6 to = {};
  to.sin6_family = AF_INET6;
  if (inet_pton(AF_INET6, destination.c_str(), &to.sin6_addr) != 1)
    BadArgument(env, "not an IPv6 address: " + destination);
  to.sin6_scope_id = if_nametoindex(interface.c_str());
  if (to.sin6_scope_id == 0) Fail(env, "if_nametoindex", errno, what);
  Fd fd(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  if (fd.get() < 0) Fail(env, "socket", errno, what);
  const int hops = 255;
  if (setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) != 0 ||
      setsockopt(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) != 0)
    Fail(env, "setsockopt", errno, what);
  if (sendto(fd.get(), message.data, message.length, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) < 0)
    Fail(env, "sendto", errno, what);
  return env.Undefined();
}

}  // namespace

void DefineHopLimit(Napi::Env env, Napi::Object exports) {
  exports.Set("setHopLimit", Napi::Function::New<SetHopLimit>(env));
  exports.Set("requireHopLimit", Napi::Function::New<RequireHopLimit>(env));
  exports.Set("sendIcmp6", Napi::Function::New<SendIcmp6>(env));
}

}  // namespace sluice
