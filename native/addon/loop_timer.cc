// SPDX-License-Identifier: Apache-2.0
#include "loop_timer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

// libuv's headers are not needed to build the addon: these have been stable since 1.0 (the data of a handle since 1.19), and
// Node.js exports them.
extern "C" {
struct uv_loop_s;
size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_s* handle, void* data);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_close(uv_handle_s* handle, void (*closed)(uv_handle_s*));
void uv_update_time(uv_loop_s* loop);
int uv_timer_init(uv_loop_s* loop, uv_handle_s* timer);
int uv_timer_start(uv_handle_s* timer, void (*fired)(uv_handle_s*), uint64_t timeout, uint64_t repeat);
int uv_timer_stop(uv_handle_s* timer);
}

namespace sluice {

namespace {
// UV_TIMER of uv_handle_type.
constexpr int kTimerType = 13;
}  // namespace

struct LoopTimer::Handle {
  uv_loop_s* loop = nullptr;
  std::vector<uint64_t> memory;
  std::function<void()> fired;
  napi_async_cleanup_hook_handle hook = nullptr;
  // Itself, while the loop has it; nothing after that.
  std::shared_ptr<Handle> self;
  bool closing = false;

  uv_handle_s* uv() { return reinterpret_cast<uv_handle_s*>(memory.data()); }

  static Handle* Of(uv_handle_s* timer) { return static_cast<Handle*>(uv_handle_get_data(timer)); }

  void Close() {
    if (closing) return;
    closing = true;
    uv_close(uv(), [](uv_handle_s* timer) {
      const std::shared_ptr<Handle> own = std::move(Of(timer)->self);
      // An environment that ends has waited for this.
      napi_remove_async_cleanup_hook(own->hook);
    });
  }
};

LoopTimer::LoopTimer(Napi::Env env, std::function<void()> fired) : handle_(std::make_shared<Handle>()) {
  if (napi_get_uv_event_loop(env, &handle_->loop) != napi_ok)
    throw Napi::Error::New(env, "the thread has no event loop");
  handle_->memory.resize((uv_handle_size(kTimerType) + sizeof(uint64_t) - 1) / sizeof(uint64_t));
  handle_->fired = std::move(fired);
  const auto end = [](napi_async_cleanup_hook_handle, void* data) { static_cast<Handle*>(data)->Close(); };
  if (napi_add_async_cleanup_hook(env, end, handle_.get(), &handle_->hook) != napi_ok)
    throw Napi::Error::New(env, "the thread is about to end");
  uv_timer_init(handle_->loop, handle_->uv());
  uv_handle_set_data(handle_->uv(), handle_.get());
  handle_->self = handle_;
}

LoopTimer::~LoopTimer() { handle_->Close(); }

void LoopTimer::Start(double milliseconds) {
  if (handle_->closing) return;
  // Who is called may have worked for long since the loop has last read its clock, which shows full milliseconds.
  uv_update_time(handle_->loop);
  const auto timeout = static_cast<uint64_t>(std::ceil(std::max(milliseconds, 0.0))) + 1;
  uv_timer_start(handle_->uv(), [](uv_handle_s* timer) { Handle::Of(timer)->fired(); }, timeout, 0);
}

void LoopTimer::Stop() {
  if (!handle_->closing) uv_timer_stop(handle_->uv());
}

}  // namespace sluice
