// SPDX-License-Identifier: Apache-2.0
#include "netlink.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "errors.h"

namespace sluice {

namespace {

// The kernel fills at most 32 KiB per dump message batch.
constexpr size_t kReadBytes = 65536;
// Room for a burst of changes (a router that flaps a full table) while the event loop is busy.
constexpr int kMonitorBufferBytes = 8 << 20;

int OpenRoute(Fd* into) {
  *into = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (into->get() < 0) return errno;
  sockaddr_nl address = {};
  address.nl_family = AF_NETLINK;
  return bind(into->get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
}

// The kernel's own words about a refusal (NLMSGERR_ATTR_MSG), if it sent any.
std::string KernelMessage(const nlmsghdr* header) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
  size_t at = NLMSG_HDRLEN + sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) at += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
  const auto* bytes = reinterpret_cast<const char*>(header);
  while (at + sizeof(nlattr) <= header->nlmsg_len) {
    nlattr attribute;
    memcpy(&attribute, bytes + at, sizeof(attribute));
    if (attribute.nla_len < sizeof(nlattr) || at + attribute.nla_len > header->nlmsg_len) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
      return std::string(bytes + at + sizeof(nlattr), strnlen(bytes + at + sizeof(nlattr), attribute.nla_len - sizeof(nlattr)));
    at += NLA_ALIGN(attribute.nla_len);
  }
  return "";
}

Napi::Value Request(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Bytes message = BytesArgument(info, 0, "message", sizeof(nlmsghdr));
  const std::string what = StringArgument(info, 1, "what");
  Fd fd;
  int error = OpenRoute(&fd);
  if (error != 0) Fail(env, "socket(AF_NETLINK)", error, what);
  const int on = 1;
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  if (send(fd.get(), message.data, message.length, 0) < 0) Fail(env, "send(AF_NETLINK)", errno, what);

  std::vector<uint8_t> answers;
  std::vector<uint8_t> buffer(kReadBytes);
  for (bool done = false; !done;) {
    const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) Fail(env, "recv(AF_NETLINK)", got == 0 ? EPIPE : errno, what);
    size_t at = 0;
    while (at + sizeof(nlmsghdr) <= static_cast<size_t>(got)) {
      const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data() + at);
      if (header->nlmsg_len < sizeof(nlmsghdr) || at + header->nlmsg_len > static_cast<size_t>(got)) break;
      if (header->nlmsg_type == NLMSG_ERROR) {
        error = -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
        if (error != 0) Fail(env, "netlink", error, what, KernelMessage(header));
        done = true;
      } else if (header->nlmsg_type == NLMSG_DONE) {
        done = true;
      } else {
        answers.insert(answers.end(), buffer.data() + at, buffer.data() + at + NLMSG_ALIGN(header->nlmsg_len));
      }
      at += NLMSG_ALIGN(header->nlmsg_len);
    }
  }
  Napi::Uint8Array result = Napi::Uint8Array::New(env, answers.size());
  std::copy(answers.begin(), answers.end(), result.Data());
  return result;
}

}  // namespace

Napi::Function NetlinkMonitor::Define(Napi::Env env) {
  return DefineClass(env, "NetlinkMonitor",
                     {InstanceMethod<&NetlinkMonitor::TakeFd>("takeFd"), InstanceMethod<&NetlinkMonitor::CloseNow>("close")});
}

NetlinkMonitor::NetlinkMonitor(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kDescriptor) {
  Napi::Env env = info.Env();
  const std::string what = "watch the kernel's interfaces and routes";
  if (info.Length() < 1 || !info[0].IsArray()) BadArgument(env, "groups must be an array");
  const Napi::Array groups = info[0].As<Napi::Array>();
  int error = OpenRoute(&netlink_);
  if (error != 0) Fail(env, "socket(AF_NETLINK)", error, what);
  // SO_RCVBUFFORCE needs CAP_NET_ADMIN; without it the default has to do.
  setsockopt(netlink_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kMonitorBufferBytes, sizeof(kMonitorBufferBytes));
  for (uint32_t i = 0; i < groups.Length(); i++) {
    const int group = Napi::Value(groups[i]).ToNumber().Int32Value();
    if (setsockopt(netlink_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) != 0)
      Fail(env, "setsockopt(NETLINK_ADD_MEMBERSHIP)", errno, what);
  }
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) Fail(env, "socketpair", errno, what);
  writer_ = Fd(pair[0]);
  reader_ = Fd(pair[1]);
  stop_ = Fd(eventfd(0, EFD_CLOEXEC));
  if (stop_.get() < 0) Fail(env, "eventfd", errno, what);
  thread_ = std::thread([this] { Run(); });
}

void NetlinkMonitor::Run() {
  std::vector<uint8_t> buffer(kReadBytes);
  for (;;) {
    pollfd fds[2] = {{netlink_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    if (fds[0].revents == 0) continue;
    const ssize_t got = recv(netlink_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got > 0 && static_cast<size_t>(got) <= buffer.size()) {
      if (!Forward(buffer.data(), NLMSG_ALIGN(static_cast<size_t>(got)))) return;
    } else if (got > 0 || errno == ENOBUFS) {
      // The error comes before the messages that were queued when it happened: they are older than what was lost, and
      // must not follow the reader's fresh look at the tables.
      while (recv(netlink_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR) {
      }
      nlmsghdr overrun = {};
      overrun.nlmsg_len = sizeof(overrun);
      overrun.nlmsg_type = NLMSG_OVERRUN;
      if (!Forward(reinterpret_cast<const uint8_t*>(&overrun), sizeof(overrun))) return;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return;
    }
  }
}

// False when told to stop or when nobody reads any more.
bool NetlinkMonitor::Forward(const uint8_t* data, size_t length) {
  while (length > 0) {
    const ssize_t sent = send(writer_.get(), data, length, MSG_NOSIGNAL);
    if (sent > 0) {
      data += sent;
      length -= static_cast<size_t>(sent);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return false;
    pollfd fds[2] = {{writer_.get(), POLLOUT, 0}, {stop_.get(), POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return false;
    if (fds[1].revents != 0) return false;
  }
  return true;
}

void NetlinkMonitor::Release() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    // An eventfd that is never read takes this always.
    if (write(stop_.get(), &one, sizeof(one)) == sizeof(one)) thread_.join();
  }
  netlink_.Reset();
  writer_.Reset();
  reader_.Reset();
  stop_.Reset();
}

Napi::Value NetlinkMonitor::TakeFd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), reader_.Give());
}

Napi::Value NetlinkMonitor::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

void DefineNetlink(Napi::Env env, Napi::Object exports) {
  exports.Set("netlinkRequest", Napi::Function::New<Request>(env));
}

}  // namespace sluice
