// SPDX-License-Identifier: Apache-2.0
//
// A program attached to a hook of an interface, until the link closes. Three kinds:
//   - "xdp", "tcx": a bpf_link; dies with its descriptor, so also with the process, however that dies;
//   - "clsact": a cls_bpf filter, for kernels before TCX (6.6); a killed process leaves it behind;
//   - "dispatcher": our program added to those that libxdp's dispatcher runs on the interface.
#pragma once

#include <functional>
#include <string>

#include <napi.h>

#include "resource.h"

namespace sluice {

class Link : public Napi::ObjectWrap<Link>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new Link("xdp", programFd, interface, flags) | ("tcx", programFd, interface) | ("clsact", programFd, interface)
  // | ("dispatcher", objectPath, interface, flags, {mapName: fd}, programName)
  explicit Link(const Napi::CallbackInfo& info);
  ~Link() override { Close(); }

 private:
  void Release() override;
  void ByBpfLink(Napi::Env env, int program, unsigned interface, uint32_t type, uint32_t flags, const std::string& what);
  void ByClsact(Napi::Env env, int program, unsigned interface, const std::string& what);
  void ByDispatcher(const Napi::CallbackInfo& info, unsigned interface, const std::string& what);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd fd_;
  std::function<void()> detach_;
};

// queryXdp(interface) -> {programId, name, mode}|null
void DefineLinkQueries(Napi::Env env, Napi::Object exports);

}  // namespace sluice
