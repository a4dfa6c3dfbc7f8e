// SPDX-License-Identifier: Apache-2.0
//
// A loaded BPF object file: its programs and maps, by name. Programs and maps opened from it stay valid after it closes
// (they have descriptors of their own).
#pragma once

#include <string>

#include <napi.h>

#include "resource.h"

struct bpf_object;

namespace sluice {

class BpfObject : public Napi::ObjectWrap<BpfObject>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new BpfObject(path, {mapName: maxEntries}, pinFolder|null, frags?): maps are pinned there, or taken from there
  explicit BpfObject(const Napi::CallbackInfo& info);
  ~BpfObject() override { Close(); }

 private:
  void Release() override;
  void RequireOpen(Napi::Env env) const;
  Napi::Value ProgramFd(const Napi::CallbackInfo& info);
  Napi::Value MapFd(const Napi::CallbackInfo& info);
  Napi::Value MapDescriptors(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  std::string path_;
  bpf_object* object_ = nullptr;
};

// Directs libbpf's and libxdp's messages, which would go to stderr, to LastLibraryMessage().
void QuietLibraries();

// The last complaint of libbpf or libxdp in this thread, and forgets it. For the text of an error.
std::string LastLibraryMessage();

// testRun(programFd, frame, repeat, contextIn|null) -> {returnValue, durationNanoseconds, data}
void DefineTestRun(Napi::Env env, Napi::Object exports);

// Frames in several buffers and the helper that reads them are both of Linux 5.18.
bool HasFrags();

// While it lives, programs of the section "xdp.frags" are opened as those of "xdp" where the kernel knows no others: libbpf
// has no way to take the flag off again.
class FragsSection {
 public:
  explicit FragsSection(bool has_frags);
  ~FragsSection();
  FragsSection(const FragsSection&) = delete;
  FragsSection& operator=(const FragsSection&) = delete;

 private:
  int handler_ = -1;
};

}  // namespace sluice
