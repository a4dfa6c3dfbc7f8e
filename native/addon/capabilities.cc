// SPDX-License-Identifier: Apache-2.0
#include "capabilities.h"

#include <dirent.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "errors.h"

namespace sluice {

namespace {

// capset(2) is for the thread that calls it, and Node.js has threads of its own (libuv's, V8's, the inspector's) that no
// code of ours runs in. So each is sent a signal, as libc does it for setuid(2), and with the same one: libc keeps that
// number out of every mask, even where a thread has blocked all signals.
constexpr int kSignal = 33;
constexpr std::chrono::seconds kPatience{5};

// What rt_sigaction(2) takes, which is not libc's struct.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

std::atomic<uint64_t> keep_mask{0};
std::atomic<int> failure{0};
std::atomic<uint32_t> answered{0};

// Only what a signal handler may do. @returns 0 or an errno.
int GiveUpOwn(uint64_t keep) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return errno;
  for (int word = 0; word < 2; word++) {
    const uint32_t kept = static_cast<uint32_t>(keep >> (32 * word));
    data[word].permitted &= kept;
    data[word].effective &= kept;
    data[word].inheritable = 0;
  }
  // Else a program that root executes has all of them again.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

void OnSignal(int) {
  const int before = errno;
  const int error = GiveUpOwn(keep_mask.load());
  if (error != 0) failure.store(error);
  answered.fetch_add(1);
  errno = before;
}

int SetAction(int signal, const KernelAction* action, KernelAction* old) {
  return static_cast<int>(syscall(SYS_rt_sigaction, signal, action, old, sizeof(uint64_t)));
}

// libc's way back from a handler, which the kernel asks for on some machines: taken from a handler that libc installs.
bool PrepareAction(KernelAction* action) {
  struct sigaction probe = {};
  struct sigaction before = {};
  probe.sa_handler = OnSignal;
  probe.sa_flags = SA_RESTART;
  sigfillset(&probe.sa_mask);
  if (sigaction(SIGRTMAX, &probe, &before) != 0) return false;
  const bool known = SetAction(SIGRTMAX, nullptr, action) == 0;
  sigaction(SIGRTMAX, &before, nullptr);
  return known;
}

std::set<pid_t> Threads() {
  std::set<pid_t> threads;
  DIR* folder = opendir("/proc/self/task");
  if (folder == nullptr) return threads;
  while (const dirent* entry = readdir(folder)) {
    const pid_t thread = static_cast<pid_t>(atoi(entry->d_name));
    if (thread > 0) threads.insert(thread);
  }
  closedir(folder);
  return threads;
}

// A mask as the kernel counts capabilities, from their numbers.
uint64_t MaskArgument(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsArray()) BadArgument(info.Env(), "kept capabilities must be an array of numbers");
  const Napi::Array numbers = info[0].As<Napi::Array>();
  uint64_t mask = 0;
  for (uint32_t i = 0; i < numbers.Length(); i++) {
    const uint32_t number = Napi::Value(numbers[i]).ToNumber().Uint32Value();
    if (number > 63) BadArgument(info.Env(), "there is no capability " + std::to_string(number));
    mask |= uint64_t{1} << number;
  }
  return mask;
}

// keepOwnCapabilities(numbers): of this thread.
Napi::Value KeepOwn(const Napi::CallbackInfo& info) {
  const int error = GiveUpOwn(MaskArgument(info));
  if (error != 0) Fail(info.Env(), "capset", error, "give up capabilities of a thread");
  return info.Env().Undefined();
}

// keepCapabilities(numbers): of all threads. Those that are started meanwhile are found by another round.
Napi::Value KeepAll(const Napi::CallbackInfo& info) {
  static std::mutex one_at_a_time;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  const char* what = "give up capabilities of all threads";
  Napi::Env env = info.Env();
  const uint64_t keep = MaskArgument(info);
  const int own = GiveUpOwn(keep);
  if (own != 0) Fail(env, "capset", own, what);
  keep_mask.store(keep);
  failure.store(0);
  KernelAction action = {};
  KernelAction before = {};
  if (!PrepareAction(&action) || SetAction(kSignal, &action, &before) != 0) Fail(env, "rt_sigaction", errno, what);
  std::set<pid_t> told = {static_cast<pid_t>(syscall(SYS_gettid))};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int error = 0;
  for (bool found = true; found && error == 0;) {
    found = false;
    answered.store(0);
    uint32_t asked = 0;
    for (const pid_t thread : Threads()) {
      if (!told.insert(thread).second) continue;
      // One that has ended meanwhile needs nothing.
      if (syscall(SYS_tgkill, getpid(), thread, kSignal) != 0) continue;
      found = true;
      asked++;
    }
    while (answered.load() < asked && error == 0) {
      if (std::chrono::steady_clock::now() > deadline) error = ETIMEDOUT;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  SetAction(kSignal, &before, nullptr);
  if (error == 0) error = failure.load();
  if (error != 0) Fail(env, "capset", error, what);
  return env.Undefined();
}

}  // namespace

void DefineCapabilities(Napi::Env env, Napi::Object exports) {
  exports.Set("keepOwnCapabilities", Napi::Function::New<KeepOwn>(env));
  exports.Set("keepCapabilities", Napi::Function::New<KeepAll>(env));
}

}  // namespace sluice
