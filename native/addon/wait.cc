// SPDX-License-Identifier: Apache-2.0
#include "wait.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "errors.h"

namespace sluice {

Napi::Function EventFd::Define(Napi::Env env) {
  return DefineClass(env, "EventFd", {InstanceMethod<&EventFd::GetFd>("fd"), InstanceMethod<&EventFd::CloseNow>("close")});
}

EventFd::EventFd(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kDescriptor) {
  fd_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (fd_.get() < 0) Fail(info.Env(), "eventfd", errno, "make an event to wait for");
}

Napi::Value EventFd::GetFd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), fd_.get()); }

Napi::Value EventFd::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

namespace {

// More sockets than a worker ever holds; entries live on the stack.
constexpr size_t kMostEntries = 256;

napi_value Number(napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value ThrowType(napi_env env, const char* message) {
  napi_throw_type_error(env, nullptr, message);
  return nullptr;
}

// entries: [fd, events, revents] repeated, 32-bit each. A signal counts as nothing ready.
napi_value Poll(napi_env env, napi_callback_info info) {
  size_t given = 3;
  napi_value arguments[3];
  napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr);
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* memory = nullptr;
  int32_t count = 0;
  int32_t timeout = 0;
  if (napi_get_typedarray_info(env, arguments[0], &type, &length, &memory, nullptr, nullptr) != napi_ok ||
      type != napi_int32_array || napi_get_value_int32(env, arguments[1], &count) != napi_ok ||
      napi_get_value_int32(env, arguments[2], &timeout) != napi_ok)
    return ThrowType(env, "poll takes an Int32Array, a count and a timeout in milliseconds");
  if (count < 0 || static_cast<size_t>(count) > kMostEntries || static_cast<size_t>(count) * 3 > length)
    return ThrowType(env, "poll: count is larger than the entries");
  auto* entries = static_cast<int32_t*>(memory);
  pollfd fds[kMostEntries];
  for (int32_t i = 0; i < count; i++) fds[i] = {entries[i * 3], static_cast<int16_t>(entries[i * 3 + 1]), 0};
  int ready = poll(fds, static_cast<nfds_t>(count), timeout);
  if (ready < 0) {
    if (errno != EINTR) {
      napi_throw_error(env, strerrorname_np(errno), "poll failed");
      return nullptr;
    }
    ready = 0;
  }
  for (int32_t i = 0; i < count; i++) entries[i * 3 + 2] = fds[i].revents;
  return Number(env, ready);
}

int32_t OnlyFd(napi_env env, napi_callback_info info) {
  size_t given = 1;
  napi_value argument;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &given, &argument, nullptr, nullptr);
  napi_get_value_int32(env, argument, &fd);
  return fd;
}

// 0, or the errno. EAGAIN means that the counter is full: the event is signalled anyway.
napi_value SignalEvent(napi_env env, napi_callback_info info) {
  const uint64_t one = 1;
  const int32_t fd = OnlyFd(env, info);
  const bool written = write(fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN;
  return Number(env, written ? 0 : errno);
}

napi_value ClearEvent(napi_env env, napi_callback_info info) {
  uint64_t count = 0;
  const int32_t fd = OnlyFd(env, info);
  const bool read_ = read(fd, &count, sizeof(count)) == sizeof(count) || errno == EAGAIN;
  return Number(env, read_ ? 0 : errno);
}

// Writes nanoseconds of CLOCK_MONOTONIC (the clock of bpf_ktime_get_ns) as a double: a returned number would be a heap
// object per call, which in time is a garbage collection.
napi_value Monotonic(napi_env env, napi_callback_info info) {
  size_t given = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &given, &argument, nullptr, nullptr);
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* memory = nullptr;
  if (napi_get_typedarray_info(env, argument, &type, &length, &memory, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || length < 1)
    return ThrowType(env, "monotonic takes a Float64Array");
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  *static_cast<double*>(memory) = static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
  return nullptr;
}

napi_value GiveWay(napi_env, napi_callback_info) {
  sched_yield();
  return nullptr;
}

}  // namespace

void DefineWaits(Napi::Env env, Napi::Object exports) {
  const napi_property_descriptor functions[] = {
      {"poll", nullptr, Poll, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"signalEvent", nullptr, SignalEvent, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"clearEvent", nullptr, ClearEvent, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"monotonic", nullptr, Monotonic, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"giveWay", nullptr, GiveWay, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  if (napi_define_properties(env, exports, 5, functions) != napi_ok)
    throw Napi::Error::New(env, "cannot define poll and its siblings");
}

}  // namespace sluice
