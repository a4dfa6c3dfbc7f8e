// SPDX-License-Identifier: Apache-2.0
#include "bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <vector>

#include "errors.h"

namespace sluice {

namespace {

thread_local std::string last_message;

// Keeps warnings only; a verifier's log arrives as one warning whose last lines hold the reason.
void Keep(const char* format, va_list arguments) {
  char text[4096];
  const int length = vsnprintf(text, sizeof(text), format, arguments);
  if (length <= 0) return;
  last_message = text;
  while (!last_message.empty() && last_message.back() == '\n') last_message.pop_back();
}

int FromLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_WARN) Keep(format, arguments);
  return 0;
}

int FromLibxdp(libxdp_print_level level, const char* format, va_list arguments) {
  if (level == LIBXDP_WARN) Keep(format, arguments);
  return 0;
}

// Tells the programs of native/bpf/kernel_features.h. Objects without that word stay as they are.
void SetFeatures(bpf_object* object, bool has_frags) {
  bpf_map* features = bpf_object__find_map_by_name(object, ".rodata.features");
  if (features == nullptr) return;
  size_t length = 0;
  void* value = const_cast<void*>(bpf_map__initial_value(features, &length));
  if (value != nullptr && length >= sizeof(uint32_t)) *static_cast<uint32_t*>(value) = has_frags ? 1 : 0;
}

}  // namespace

bool HasFrags() { return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, nullptr) == 1; }

FragsSection::FragsSection(bool has_frags) {
  if (!has_frags) handler_ = libbpf_register_prog_handler("xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, nullptr);
}

FragsSection::~FragsSection() {
  if (handler_ >= 0) libbpf_unregister_prog_handler(handler_);
}

void QuietLibraries() {
  libbpf_set_print(FromLibbpf);
  libxdp_set_print(FromLibxdp);
}

std::string LastLibraryMessage() {
  std::string message;
  message.swap(last_message);
  return message;
}

Napi::Function BpfObject::Define(Napi::Env env) {
  return DefineClass(env, "BpfObject",
                     {InstanceMethod<&BpfObject::ProgramFd>("programFd"), InstanceMethod<&BpfObject::MapFd>("mapFd"),
                      InstanceMethod<&BpfObject::MapDescriptors>("mapDescriptors"), InstanceMethod<&BpfObject::CloseNow>("close")});
}

BpfObject::BpfObject(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kBpf) {
  Napi::Env env = info.Env();
  path_ = StringArgument(info, 0, "path");
  LastLibraryMessage();
  const bool has_frags = info.Length() > 3 && info[3].IsBoolean() ? info[3].As<Napi::Boolean>().Value() : HasFrags();
  const FragsSection section(has_frags);
  object_ = bpf_object__open_file(path_.c_str(), nullptr);
  if (object_ == nullptr) {
    const int error = errno;
    Fail(env, "open", error, "open the BPF object " + path_,
         error == ENOENT ? "build it with `npm run build`" : LastLibraryMessage());
  }
  // From here a throw must free the object: the destructor does not run for a failed constructor.
  struct Guard {
    bpf_object*& object;
    bool armed = true;
    ~Guard() {
      if (armed) bpf_object__close(object);
    }
  } guard{object_};
  if (info.Length() > 1 && info[1].IsObject()) {
    const Napi::Object sizes = info[1].As<Napi::Object>();
    const Napi::Array names = sizes.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); i++) {
      const std::string name = Napi::Value(names[i]).ToString().Utf8Value();
      bpf_map* map = bpf_object__find_map_by_name(object_, name.c_str());
      if (map == nullptr) BadArgument(env, "no map " + name + " in " + path_);
      bpf_map__set_max_entries(map, Napi::Value(sizes.Get(name)).ToNumber().Uint32Value());
    }
  }
  if (info.Length() > 2 && info[2].IsString()) {
    const std::string folder = info[2].As<Napi::String>().Utf8Value();
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_) {
      // A program's own variables (".bss") stay its own, and bpffs has no names with dots. A DEVMAP has a flag that
      // the kernel adds, so libbpf would not know it again; whoever loads the object fills it.
      const std::string name = bpf_map__name(map);
      if (name.find('.') == std::string::npos && bpf_map__type(map) != BPF_MAP_TYPE_DEVMAP) bpf_map__set_pin_path(map, (folder + "/" + name).c_str());
    }
  }
  SetFeatures(object_, has_frags);
  const int error = -bpf_object__load(object_);
  if (error != 0) {
    const std::string message = LastLibraryMessage();
    Fail(env, "bpf", error, "load the BPF object " + path_, error == EPERM || error == EACCES ? "" : message);
  }
  guard.armed = false;
}

void BpfObject::Release() {
  bpf_object__close(object_);
  object_ = nullptr;
}

void BpfObject::RequireOpen(Napi::Env env) const {
  if (closed()) BadArgument(env, "the BPF object " + path_ + " is closed");
}

Napi::Value BpfObject::ProgramFd(const Napi::CallbackInfo& info) {
  RequireOpen(info.Env());
  const std::string name = StringArgument(info, 0, "name");
  const bpf_program* program = bpf_object__find_program_by_name(object_, name.c_str());
  if (program == nullptr) BadArgument(info.Env(), "no program " + name + " in " + path_);
  return Napi::Number::New(info.Env(), bpf_program__fd(program));
}

Napi::Value BpfObject::MapFd(const Napi::CallbackInfo& info) {
  RequireOpen(info.Env());
  const std::string name = StringArgument(info, 0, "name");
  const bpf_map* map = bpf_object__find_map_by_name(object_, name.c_str());
  if (map == nullptr) BadArgument(info.Env(), "no map " + name + " in " + path_);
  return Napi::Number::New(info.Env(), bpf_map__fd(map));
}

Napi::Value BpfObject::MapDescriptors(const Napi::CallbackInfo& info) {
  RequireOpen(info.Env());
  Napi::Object result = Napi::Object::New(info.Env());
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_) result.Set(bpf_map__name(map), Napi::Number::New(info.Env(), bpf_map__fd(map)));
  return result;
}

Napi::Value BpfObject::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

namespace {

// The kernel writes the frame back, which a program may have grown by its headroom.
constexpr size_t kGrowth = 512;

Napi::Value TestRun(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = FdArgument(info, 0, "programFd");
  const Bytes frame = BytesArgument(info, 1, "frame");
  const uint32_t repeat = Uint32Argument(info, 2, "repeat");
  std::vector<uint8_t> out(frame.length + kGrowth);
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = frame.data;
  options.data_size_in = static_cast<uint32_t>(frame.length);
  options.data_out = out.data();
  options.data_size_out = static_cast<uint32_t>(out.size());
  options.repeat = static_cast<int>(repeat);
  if (info.Length() > 3 && info[3].IsTypedArray()) {
    const Bytes context = BytesArgument(info, 3, "context");
    options.ctx_in = context.data;
    options.ctx_size_in = static_cast<uint32_t>(context.length);
  }
  const int error = -bpf_prog_test_run_opts(fd, &options);
  if (error != 0) Fail(env, "bpf(BPF_PROG_TEST_RUN)", error, "run the program on a frame of " + std::to_string(frame.length) + " bytes");
  Napi::Object result = Napi::Object::New(env);
  result.Set("returnValue", Napi::Number::New(env, static_cast<int32_t>(options.retval)));
  result.Set("durationNanoseconds", Napi::Number::New(env, options.duration));
  Napi::Uint8Array data = Napi::Uint8Array::New(env, options.data_size_out);
  std::copy_n(out.data(), options.data_size_out, data.Data());
  result.Set("data", data);
  return result;
}

}  // namespace

void DefineTestRun(Napi::Env env, Napi::Object exports) { exports.Set("testRun", Napi::Function::New<TestRun>(env)); }

}  // namespace sluice
