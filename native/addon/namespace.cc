// SPDX-License-Identifier: Apache-2.0
#include "namespace.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "errors.h"
#include "resource.h"

namespace sluice {

namespace {

Napi::Value Enter(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info, 0, "path");
  const std::string what = "enter the network namespace " + path;
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) Fail(info.Env(), "open", errno, what);
  if (setns(fd.get(), CLONE_NEWNET) != 0) Fail(info.Env(), "setns", errno, what);
  return info.Env().Undefined();
}

}  // namespace

void DefineNamespace(Napi::Env env, Napi::Object exports) {
  exports.Set("enterNetworkNamespace", Napi::Function::New<Enter>(env));
}

}  // namespace sluice
