// SPDX-License-Identifier: Apache-2.0
//
// A program attached to a hook of an interface, until the link closes. Three kinds:
//   - "xdp", "tcx": a bpf_link; dies with its descriptor, so also with the process, however that dies;
//   - "clsact": a cls_bpf filter, for kernels before TCX (6.6); a killed process leaves it behind;
//   - "pinned": one of the first two that was pinned; its program is replaced by this one between two frames;
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
  // | ("pinned", programFd, interface, path)
  // | ("dispatcher", objectPath, interface, flags, {mapName: fd}, programName)
  explicit Link(const Napi::CallbackInfo& info);
  ~Link() override { Close(); }

 private:
  void Release() override;
  void ByBpfLink(Napi::Env env, int program, unsigned interface, uint32_t type, uint32_t flags, const std::string& what);
  void ByClsact(Napi::Env env, int program, unsigned interface, const std::string& what);
  void ByDispatcher(const Napi::CallbackInfo& info, unsigned interface, const std::string& what);
  void ByPin(const Napi::CallbackInfo& info, const std::string& what);
  // pin(path): the attachment then outlives this object and the process, until the file is removed
  Napi::Value Pin(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  Fd fd_;
  std::function<void()> detach_;
};

// queryXdp(interface) -> {programId, name, mode}|null
// openPinned(path) -> a descriptor of what is pinned there, -1 when nothing is; for closeFd
// pinnedLink(path) -> {interfaceIndex, programId}|null
void DefineLinkQueries(Napi::Env env, Napi::Object exports);

}  // namespace sluice
