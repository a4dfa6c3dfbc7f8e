// SPDX-License-Identifier: Apache-2.0
//
// Lifetimes. Whatever holds kernel state (a socket, a link, a mapped ring) is a Resource of the JavaScript environment
// that made it, main thread or worker. It is closed by the first of: its close(), its collection as garbage, the end of
// its environment. A worker that dies by terminate() or by an exception thus leaves no busy queue and no program.
//
// At the end of an environment resources close in the order of their rank, for a socket must go before the memory and
// the maps that it uses.
#pragma once

#include <memory>
#include <set>

#include <napi.h>

namespace sluice {

enum class Rank { kSocket, kLink, kMemory, kBpf, kDescriptor };

class Resource;

class Registry {
 public:
  // The registry of this environment; Install() made it when the addon was loaded there.
  static std::shared_ptr<Registry> Of(Napi::Env env);
  static void Install(Napi::Env env);

 private:
  friend class Resource;
  struct ByRank {
    bool operator()(const Resource* left, const Resource* right) const;
  };
  void CloseAll();
  std::set<Resource*, ByRank> open_;
};

class Resource {
 public:
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  // Idempotent, does not throw.
  void Close();
  bool closed() const { return closed_; }

 protected:
  Resource(Napi::Env env, Rank rank);
  // A derived destructor calls Close() itself: Release() is virtual.
  virtual ~Resource();
  virtual void Release() = 0;

 private:
  friend class Registry;
  const Rank rank_;
  std::shared_ptr<Registry> registry_;
  bool closed_ = false;
};

// An owned file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Reset(); }
  int get() const { return fd_; }
  void Reset();
  // Gives up ownership.
  int Give() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace sluice
