// SPDX-License-Identifier: Apache-2.0
#include "xsk.h"

#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "errors.h"

namespace sluice {

namespace {

enum { kRx, kTx, kFill, kCompletion };

// The kernel lets go of a queue a little after the last reference to its old socket is gone (a work item, an RCU grace
// period): a new socket waits this long for it before it says EBUSY.
constexpr int kBusyTries = 60;
constexpr useconds_t kBusyPauseMicroseconds = 5000;

std::string BindHint(int error) {
  switch (error) {
    case EBUSY:
      return "another AF_XDP socket holds the queue: find it with `ss --xdp -p` and stop it";
    case EINVAL:
      return "the interface has no such queue (`ethtool -l`), or is down for AF_XDP";
    case EOPNOTSUPP:
      return "the driver cannot do this bind mode: use copy mode on all sockets of this memory";
    case ENETDOWN:
      return "set the interface up first: `ip link set NAME up`";
    default:
      return "";
  }
}

}  // namespace

Napi::Function Xsk::Define(Napi::Env env) {
  return DefineClass(env, "Xsk",
                     {InstanceMethod<&Xsk::GetFd>("fd"), InstanceMethod<&Xsk::GetZeroCopy>("zeroCopy"),
                      InstanceMethod<&Xsk::GetRings>("rings"), InstanceMethod<&Xsk::Statistics>("statistics"),
                      InstanceMethod<&Xsk::CloseNow>("close")});
}

Xsk::Xsk(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kSocket) {
  Napi::Env env = info.Env();
  Umem* umem = info.Length() > 0 ? Umem::From(info[0]) : nullptr;
  if (umem == nullptr) BadArgument(env, "umem must be a Umem");
  const std::string interface = StringArgument(info, 1, "interface");
  const uint32_t queue = Uint32Argument(info, 2, "queue");
  const uint32_t flags = Uint32Argument(info, 3, "bindFlags");
  const uint32_t frameSize = Uint32Argument(info, 4, "frameSize");
  const uint32_t headroom = Uint32Argument(info, 5, "headroom");
  where_ = "queue " + std::to_string(queue) + " of " + interface;
  if (umem->closed()) BadArgument(env, "the Umem for " + where_ + " is closed");

  const uint32_t interfaceIndex = if_nametoindex(interface.c_str());
  if (interfaceIndex == 0) Fail(env, "if_nametoindex", errno, "open an AF_XDP socket on " + where_);
  fd_ = Fd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (fd_.get() < 0) Fail(env, "socket", errno, "open an AF_XDP socket on " + where_);

  bound_ = umem->bound();
  if (bound_->empty()) {
    xdp_umem_reg memory = {};
    memory.addr = reinterpret_cast<uint64_t>(umem->memory()->address());
    memory.len = umem->memory()->length();
    memory.chunk_size = frameSize;
    memory.headroom = headroom;
    if (setsockopt(fd_.get(), SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) != 0)
      Fail(env, "setsockopt(XDP_UMEM_REG)", errno, "register the packet memory for " + where_);
  }
  uint32_t sizes[4];
  sizes[kRx] = Uint32Argument(info, 6, "rxSize");
  sizes[kTx] = Uint32Argument(info, 7, "txSize");
  sizes[kFill] = Uint32Argument(info, 8, "fillSize");
  sizes[kCompletion] = Uint32Argument(info, 9, "completionSize");
  SetRing(env, XDP_RX_RING, "receive", sizes[kRx]);
  SetRing(env, XDP_TX_RING, "transmit", sizes[kTx]);
  SetRing(env, XDP_UMEM_FILL_RING, "fill", sizes[kFill]);
  SetRing(env, XDP_UMEM_COMPLETION_RING, "completion", sizes[kCompletion]);
  MapRings(env, sizes);
  Bind(env, umem, interfaceIndex, queue, static_cast<uint16_t>(flags));
  bound_->push_back(fd_.get());
}

void Xsk::SetRing(Napi::Env env, int option, const char* name, uint32_t size) {
  if (setsockopt(fd_.get(), SOL_XDP, option, &size, sizeof(size)) != 0)
    Fail(env, "setsockopt(SOL_XDP)", errno,
         std::string("make a ") + name + " ring of " + std::to_string(size) + " slots for " + where_,
         errno == EINVAL ? "the size of a ring must be a power of two" : "");
}

void Xsk::MapRings(Napi::Env env, const uint32_t sizes[4]) {
  xdp_mmap_offsets offsets = {};
  socklen_t length = sizeof(offsets);
  if (getsockopt(fd_.get(), SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0 || length != sizeof(offsets))
    Fail(env, "getsockopt(XDP_MMAP_OFFSETS)", errno, "map the rings of " + where_);
  const xdp_ring_offset* places[4] = {&offsets.rx, &offsets.tx, &offsets.fr, &offsets.cr};
  const uint64_t pages[4] = {XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_FILL_RING,
                             XDP_UMEM_PGOFF_COMPLETION_RING};
  for (int ring = 0; ring < 4; ring++) {
    const size_t slot = ring <= kTx ? sizeof(xdp_desc) : sizeof(uint64_t);
    const xdp_ring_offset& place = *places[ring];
    rings_[ring].memory = Mapping::OfFile(fd_.get(), place.desc + sizes[ring] * slot, pages[ring], MAP_POPULATE);
    if (rings_[ring].memory == nullptr) Fail(env, "mmap", errno, "map the rings of " + where_);
    rings_[ring].producer = static_cast<double>(place.producer);
    rings_[ring].consumer = static_cast<double>(place.consumer);
    rings_[ring].flags = static_cast<double>(place.flags);
    rings_[ring].descriptors = static_cast<double>(place.desc);
  }
}

void Xsk::Bind(Napi::Env env, Umem* umem, uint32_t interfaceIndex, uint32_t queue, uint16_t flags) {
  sockaddr_xdp address = {};
  address.sxdp_family = AF_XDP;
  address.sxdp_ifindex = interfaceIndex;
  address.sxdp_queue_id = queue;
  if (umem->bound()->empty()) {
    address.sxdp_flags = flags | XDP_USE_NEED_WAKEUP;
  } else {
    // Mode and need-wakeup are inherited; naming them again is EINVAL.
    address.sxdp_flags = XDP_SHARED_UMEM;
    address.sxdp_shared_umem_fd = static_cast<uint32_t>(umem->bound()->front());
  }
  for (int attempt = 1;; attempt++) {
    if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return;
    if (errno != EBUSY || attempt == kBusyTries) break;
    usleep(kBusyPauseMicroseconds);
  }
  Fail(env, "bind", errno, "bind an AF_XDP socket to " + where_, BindHint(errno));
}

void Xsk::Release() {
  // Rings first: each mapping holds the socket open, and its queue busy, after close().
  for (Ring& ring : rings_)
    if (ring.memory != nullptr) ring.memory->Retire();
  if (bound_ != nullptr) bound_->erase(std::remove(bound_->begin(), bound_->end(), fd_.get()), bound_->end());
  fd_.Reset();
}

Napi::Value Xsk::GetFd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), fd_.get()); }

Napi::Value Xsk::GetZeroCopy(const Napi::CallbackInfo& info) {
  xdp_options options = {};
  socklen_t length = sizeof(options);
  if (getsockopt(fd_.get(), SOL_XDP, XDP_OPTIONS, &options, &length) != 0)
    Fail(info.Env(), "getsockopt(XDP_OPTIONS)", errno, "read the mode of " + where_);
  return Napi::Boolean::New(info.Env(), (options.flags & XDP_OPTIONS_ZEROCOPY) != 0);
}

Napi::Value Xsk::GetRings(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Array result = Napi::Array::New(env, 4);
  for (uint32_t i = 0; i < 4; i++) {
    Napi::Object ring = Napi::Object::New(env);
    ring.Set("buffer", Expose(env, rings_[i].memory));
    ring.Set("producerOffset", Napi::Number::New(env, rings_[i].producer));
    ring.Set("consumerOffset", Napi::Number::New(env, rings_[i].consumer));
    ring.Set("flagsOffset", Napi::Number::New(env, rings_[i].flags));
    ring.Set("descriptorsOffset", Napi::Number::New(env, rings_[i].descriptors));
    result.Set(i, ring);
  }
  return result;
}

Napi::Value Xsk::Statistics(const Napi::CallbackInfo& info) {
  const Bytes into = BytesArgument(info, 0, "into", 6 * sizeof(double));
  if (closed()) return info.Env().Undefined();
  xdp_statistics statistics = {};
  socklen_t length = sizeof(statistics);
  if (getsockopt(fd_.get(), SOL_XDP, XDP_STATISTICS, &statistics, &length) != 0)
    Fail(info.Env(), "getsockopt(XDP_STATISTICS)", errno, "read the statistics of " + where_);
  const uint64_t values[6] = {statistics.rx_dropped,   statistics.rx_invalid_descs,         statistics.tx_invalid_descs,
                              statistics.rx_ring_full, statistics.rx_fill_ring_empty_descs, statistics.tx_ring_empty_descs};
  for (int i = 0; i < 6; i++) {
    const double value = static_cast<double>(values[i]);
    memcpy(into.data + i * sizeof(double), &value, sizeof(value));
  }
  return info.Env().Undefined();
}

Napi::Value Xsk::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

namespace {

// kick(fd) -> 0 all descriptors taken, or the errno. In copy mode one call moves at most 32 frames (the kernel's
// transmit budget) and says EAGAIN when it left some.
napi_value Kick(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  napi_get_value_int32(env, argument, &fd);
  napi_value result;
  const int error = sendto(fd, nullptr, 0, MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0) >= 0 ? 0 : errno;
  napi_create_int32(env, error, &result);
  return result;
}

}  // namespace

void DefineKick(Napi::Env env, Napi::Object exports) {
  napi_value function;
  if (napi_create_function(env, "kick", NAPI_AUTO_LENGTH, Kick, nullptr, &function) != napi_ok)
    throw Napi::Error::New(env, "cannot define kick");
  exports.Set("kick", Napi::Value(env, function));
}

}  // namespace sluice
