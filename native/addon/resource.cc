// SPDX-License-Identifier: Apache-2.0
#include "resource.h"

#include <unistd.h>

namespace sluice {

bool Registry::ByRank::operator()(const Resource* left, const Resource* right) const {
  if (left->rank_ != right->rank_) return left->rank_ < right->rank_;
  return std::less<const Resource*>()(left, right);
}

void Registry::Install(Napi::Env env) {
  auto* holder = new std::shared_ptr<Registry>(std::make_shared<Registry>());
  env.SetInstanceData(holder);
  // The hook keeps its own reference: finalizers and instance data end after it, in no order that we may rely on.
  auto* own = new std::shared_ptr<Registry>(*holder);
  napi_add_env_cleanup_hook(
      env,
      [](void* data) {
        auto* registry = static_cast<std::shared_ptr<Registry>*>(data);
        (*registry)->CloseAll();
        delete registry;
      },
      own);
}

std::shared_ptr<Registry> Registry::Of(Napi::Env env) { return *env.GetInstanceData<std::shared_ptr<Registry>>(); }

void Registry::CloseAll() {
  while (!open_.empty()) (*open_.begin())->Close();
}

Resource::Resource(Napi::Env env, Rank rank) : rank_(rank), registry_(Registry::Of(env)) {
  registry_->open_.insert(this);
}

Resource::~Resource() { registry_->open_.erase(this); }

void Resource::Close() {
  if (closed_) return;
  closed_ = true;
  registry_->open_.erase(this);
  Release();
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.fd_;
    other.fd_ = -1;
  }
  return *this;
}

void Fd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace sluice
