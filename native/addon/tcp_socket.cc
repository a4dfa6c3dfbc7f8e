// SPDX-License-Identifier: Apache-2.0
#include "tcp_socket.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "errors.h"
#include "resource.h"

namespace sluice {

namespace {

// IPV6_MINHOPCOUNT and IP_MINTTL of the kernel's headers, which do not mix with libc's.
constexpr int kIpMinTtl = 21;
constexpr int kIpv6MinHopCount = 73;

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
};

bool Parse(const std::string& text, uint16_t port, Address* into) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&into->storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&into->storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    into->length = sizeof(*v4);
    return true;
  }
  into->storage = {};
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  into->length = sizeof(*v6);
  return true;
}

std::string Show(const std::string& address, uint32_t port) {
  return (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port);
}

void SetNumber(Napi::Env env, int fd, int level, int option, int value, const std::string& what) {
  if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) Fail(env, "setsockopt", errno, what);
}

// tcpSocket(address, port, device, ttl, minTtl); "" and 0 leave a setting alone. The address tells the family.
Napi::Value MakeSocket(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string address = StringArgument(info, 0, "address");
  const uint32_t port = Uint32Argument(info, 1, "port");
  const std::string device = StringArgument(info, 2, "device");
  const int ttl = static_cast<int>(Uint32Argument(info, 3, "ttl"));
  const int minTtl = static_cast<int>(Uint32Argument(info, 4, "minTtl"));
  Address local;
  if (port > 65535 || !Parse(address, static_cast<uint16_t>(port), &local))
    BadArgument(env, "not an IP address and port: " + Show(address, port));
  const std::string what = "make a TCP socket on " + Show(address, port);
  const bool v6 = local.storage.ss_family == AF_INET6;
  Fd fd(socket(local.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) Fail(env, "socket", errno, what);
  // A restarted speaker must not wait for its old connections to time out.
  SetNumber(env, fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, what);
  if (v6) SetNumber(env, fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, what);
  if (ttl != 0) SetNumber(env, fd.get(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, ttl, what);
  if (minTtl != 0)
    SetNumber(env, fd.get(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? kIpv6MinHopCount : kIpMinTtl, minTtl, what);
  if (!device.empty() &&
      setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(), static_cast<socklen_t>(device.size())) != 0)
    Fail(env, "setsockopt(SO_BINDTODEVICE)", errno, what + " of " + device);
  // Port 0 is chosen when connecting: only then need it not be unique among all destinations.
  if (port == 0) SetNumber(env, fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, what);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&local.storage), local.length) != 0)
    Fail(env, "bind", errno, what,
         errno == EADDRNOTAVAIL ? "the address is not on this node"
         : errno == EADDRINUSE  ? "another program listens there: find it with `ss -ltnp`"
                                : "");
  return Napi::Number::New(env, fd.Give());
}

Napi::Value SetMd5(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = FdArgument(info, 0, "fd");
  const std::string peer = StringArgument(info, 1, "peer");
  const Bytes key = BytesArgument(info, 2, "key");
  Address address;
  if (!Parse(peer, 0, &address)) BadArgument(env, "not an IP address: " + peer);
  if (key.length > TCP_MD5SIG_MAXKEYLEN) BadArgument(env, "a TCP MD5 key has at most 80 octets");
  tcp_md5sig signature = {};
  memcpy(&signature.tcpm_addr, &address.storage, address.length);
  signature.tcpm_keylen = static_cast<uint16_t>(key.length);
  memcpy(signature.tcpm_key, key.data, key.length);
  const int result = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof(signature));
  const int error = errno;
  explicit_bzero(&signature, sizeof(signature));
  // Removing a key that is not there.
  if (result != 0 && !(key.length == 0 && error == ENOENT))
    Fail(env, "setsockopt(TCP_MD5SIG)", error, "sign TCP segments of " + peer,
         error == ENOPROTOOPT || error == EPERM ? "this kernel was built without CONFIG_TCP_MD5SIG" : "");
  return env.Undefined();
}

Napi::Value CloseFd(const Napi::CallbackInfo& info) {
  Fd(FdArgument(info, 0, "fd"));
  return info.Env().Undefined();
}

}  // namespace

void DefineTcp(Napi::Env env, Napi::Object exports) {
  exports.Set("tcpSocket", Napi::Function::New<MakeSocket>(env));
  exports.Set("tcpSetMd5", Napi::Function::New<SetMd5>(env));
  exports.Set("closeFd", Napi::Function::New<CloseFd>(env));
}

}  // namespace sluice
