// SPDX-License-Identifier: Apache-2.0
//
// A timer of the event loop that JavaScript runs on, whose callback is native: what takes a few system calls need not step into
// JavaScript for them. It is the loop's like any timer of Node.js: a thread that hangs does not see it fire.
#pragma once

#include <functional>
#include <memory>

#include <napi.h>

struct uv_handle_s;

namespace sluice {

class LoopTimer {
 public:
  // Throws where the environment has no loop.
  LoopTimer(Napi::Env env, std::function<void()> fired);
  LoopTimer(const LoopTimer&) = delete;
  LoopTimer& operator=(const LoopTimer&) = delete;
  ~LoopTimer();

  // Once, not before so many milliseconds have passed, whatever it was set for.
  void Start(double milliseconds);
  void Stop();

 private:
  struct Handle;
  // Lives until the loop has let go of it, too.
  std::shared_ptr<Handle> handle_;
};

}  // namespace sluice
