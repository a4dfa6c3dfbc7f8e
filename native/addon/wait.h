// SPDX-License-Identifier: Apache-2.0
//
// What a worker thread waits with: poll(2), eventfd(2), the monotonic clock. No call allocates.
#pragma once

#include <napi.h>

#include "resource.h"

namespace sluice {

class EventFd : public Napi::ObjectWrap<EventFd>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new EventFd()
  explicit EventFd(const Napi::CallbackInfo& info);
  ~EventFd() override { Close(); }

 private:
  void Release() override { fd_.Reset(); }
  Napi::Value GetFd(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd fd_;
};

// poll(entries: Int32Array, count, timeoutMilliseconds), signalEvent(fd), clearEvent(fd), monotonic(into: Float64Array),
// giveWay()
void DefineWaits(Napi::Env env, Napi::Object exports);

}  // namespace sluice
