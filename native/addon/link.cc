// SPDX-License-Identifier: Apache-2.0
#include "link.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstring>

#include "bpf_object.h"
#include "errors.h"

namespace sluice {

namespace {

// BPF_TCX_EGRESS of linux/bpf.h since 6.6; Debian 12's headers are older.
constexpr uint32_t kTcxEgress = 47;

unsigned InterfaceIndex(Napi::Env env, const std::string& interface, const std::string& what) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) Fail(env, "if_nametoindex", errno, what);
  return index;
}

}  // namespace

Napi::Function Link::Define(Napi::Env env) {
  return DefineClass(env, "Link", {InstanceMethod<&Link::Pin>("pin"), InstanceMethod<&Link::CloseNow>("close")});
}

Link::Link(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kLink) {
  Napi::Env env = info.Env();
  const std::string kind = StringArgument(info, 0, "kind");
  const std::string interface = StringArgument(info, 2, "interface");
  const std::string hook = kind == "xdp" || kind == "dispatcher" ? "XDP" : "tc egress";
  const std::string what = "attach a program to the " + hook + " hook of " + interface;
  const unsigned index = InterfaceIndex(env, interface, what);
  LastLibraryMessage();
  if (kind == "xdp") {
    ByBpfLink(env, FdArgument(info, 1, "programFd"), index, BPF_XDP, Uint32Argument(info, 3, "flags"), what);
  } else if (kind == "tcx") {
    ByBpfLink(env, FdArgument(info, 1, "programFd"), index, kTcxEgress, 0, what);
  } else if (kind == "clsact") {
    ByClsact(env, FdArgument(info, 1, "programFd"), index, what);
  } else if (kind == "pinned") {
    ByPin(info, what);
  } else if (kind == "dispatcher") {
    ByDispatcher(info, index, what);
  } else {
    BadArgument(env, "no such kind of link: " + kind);
  }
}

// The system call itself: libbpf 1.1 does not know TCX and refuses its attach type.
void Link::ByBpfLink(Napi::Env env, int program, unsigned interface, uint32_t type, uint32_t flags,
                     const std::string& what) {
  bpf_attr attributes;
  memset(&attributes, 0, sizeof(attributes));
  attributes.link_create.prog_fd = static_cast<uint32_t>(program);
  attributes.link_create.target_ifindex = interface;
  attributes.link_create.attach_type = type;
  attributes.link_create.flags = flags;
  const long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
  if (fd < 0) Fail(env, "bpf(BPF_LINK_CREATE)", errno, what);
  fd_ = Fd(static_cast<int>(fd));
}

void Link::ByPin(const Napi::CallbackInfo& info, const std::string& what) {
  Napi::Env env = info.Env();
  const int program = FdArgument(info, 1, "programFd");
  const std::string path = StringArgument(info, 3, "path");
  fd_ = Fd(bpf_obj_get(path.c_str()));
  if (fd_.get() < 0) Fail(env, "bpf(BPF_OBJ_GET)", errno, what);
  const int error = -bpf_link_update(fd_.get(), program, nullptr);
  if (error != 0) Fail(env, "bpf(BPF_LINK_UPDATE)", error, what);
}

Napi::Value Link::Pin(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string path = StringArgument(info, 0, "path");
  if (fd_.get() < 0) return Napi::Boolean::New(env, false);
  const int error = -bpf_obj_pin(fd_.get(), path.c_str());
  if (error != 0) Fail(env, "bpf(BPF_OBJ_PIN)", error, "pin a program's link at " + path);
  return Napi::Boolean::New(env, true);
}

void Link::ByClsact(Napi::Env env, int program, unsigned interface, const std::string& what) {
  LIBBPF_OPTS(bpf_tc_hook, hook);
  hook.ifindex = static_cast<int>(interface);
  hook.attach_point = BPF_TC_EGRESS;
  const int made = -bpf_tc_hook_create(&hook);
  if (made != 0 && made != EEXIST) Fail(env, "netlink(RTM_NEWQDISC)", made, what, LastLibraryMessage());
  LIBBPF_OPTS(bpf_tc_opts, options);
  options.prog_fd = program;
  const int error = -bpf_tc_attach(&hook, &options);
  if (error != 0) Fail(env, "netlink(RTM_NEWTFILTER)", error, what, LastLibraryMessage());
  // The clsact qdisc stays: another program may have come to use it. The hook is described anew, for a copy of the
  // struct has arbitrary padding, which libbpf takes for fields that it does not know.
  const uint32_t handle = options.handle;
  const uint32_t priority = options.priority;
  detach_ = [interface, handle, priority]() {
    LIBBPF_OPTS(bpf_tc_hook, where);
    where.ifindex = static_cast<int>(interface);
    where.attach_point = BPF_TC_EGRESS;
    LIBBPF_OPTS(bpf_tc_opts, which);
    which.handle = handle;
    which.priority = priority;
    bpf_tc_detach(&where, &which);
  };
}

// libxdp loads the program a second time, as an extension of its dispatcher; it must use the maps we already have.
void Link::ByDispatcher(const Napi::CallbackInfo& info, unsigned interface, const std::string& what) {
  Napi::Env env = info.Env();
  const std::string path = StringArgument(info, 1, "objectPath");
  const auto mode = static_cast<xdp_attach_mode>(Uint32Argument(info, 3, "mode"));
  const std::string name = StringArgument(info, 5, "programName");
  if (!info[4].IsObject()) BadArgument(env, "maps must be an object");
  const Napi::Object maps = info[4].As<Napi::Object>();
  DECLARE_LIBXDP_OPTS(xdp_program_opts, options);
  options.open_filename = path.c_str();
  options.prog_name = name.c_str();
  const FragsSection section(HasFrags());
  xdp_program* program = xdp_program__create(&options);
  const long failed = libxdp_get_error(program);
  if (failed != 0) Fail(env, "open", static_cast<int>(-failed), what, LastLibraryMessage());
  std::shared_ptr<xdp_program> owned(program, xdp_program__close);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, xdp_program__bpf_obj(program)) {
    const Napi::Value fd = maps.Get(bpf_map__name(map));
    if (fd.IsNumber()) bpf_map__reuse_fd(map, fd.As<Napi::Number>().Int32Value());
  }
  const int error = -xdp_program__attach(program, static_cast<int>(interface), mode, 0);
  if (error != 0) Fail(env, "xdp_program__attach", error, what, LastLibraryMessage());
  detach_ = [owned, interface, mode]() { xdp_program__detach(owned.get(), static_cast<int>(interface), mode, 0); };
}

void Link::Release() {
  if (detach_) detach_();
  detach_ = nullptr;
  fd_.Reset();
}

Napi::Value Link::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

namespace {

Napi::Value QueryXdp(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string interface = StringArgument(info, 0, "interface");
  const std::string what = "ask for the XDP program of " + interface;
  const unsigned index = InterfaceIndex(env, interface, what);
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  int error = -bpf_xdp_query(static_cast<int>(index), 0, &query);
  if (error != 0) Fail(env, "netlink(RTM_GETLINK)", error, what);
  if (query.attach_mode == XDP_ATTACHED_NONE) return env.Null();
  uint32_t id = query.drv_prog_id;
  const char* mode = "native";
  if (id == 0) {
    id = query.skb_prog_id != 0 ? query.skb_prog_id : query.hw_prog_id;
    mode = query.skb_prog_id != 0 ? "generic" : "offload";
  }
  if (id == 0) id = query.prog_id;
  std::string name;
  const Fd program(bpf_prog_get_fd_by_id(id));
  if (program.get() >= 0) {
    bpf_prog_info about = {};
    uint32_t length = sizeof(about);
    if (bpf_obj_get_info_by_fd(program.get(), &about, &length) == 0) name = about.name;
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("programId", Napi::Number::New(env, id));
  result.Set("name", Napi::String::New(env, name));
  result.Set("mode", Napi::String::New(env, mode));
  return result;
}

// A descriptor of what is pinned at the path, negative when nothing is.
int Pinned(const Napi::CallbackInfo& info) {
  const std::string path = StringArgument(info, 0, "path");
  if (path.empty() || path[0] != '/') BadArgument(info.Env(), "the path of a pin begins with /, not " + path);
  return bpf_obj_get(path.c_str());
}

Napi::Value OpenPinned(const Napi::CallbackInfo& info) {
  const int fd = Pinned(info);
  return Napi::Number::New(info.Env(), fd < 0 ? -1 : fd);
}

Napi::Value PinnedLink(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Fd link(Pinned(info));
  bpf_link_info about = {};
  uint32_t length = sizeof(about);
  if (link.get() < 0 || bpf_obj_get_info_by_fd(link.get(), &about, &length) != 0) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  // A TCX link, which Debian 12's headers do not know, has its interface in the same place.
  result.Set("interfaceIndex", Napi::Number::New(env, about.xdp.ifindex));
  result.Set("programId", Napi::Number::New(env, about.prog_id));
  return result;
}

}  // namespace

void DefineLinkQueries(Napi::Env env, Napi::Object exports) {
  exports.Set("openPinned", Napi::Function::New<OpenPinned>(env));
  exports.Set("pinnedLink", Napi::Function::New<PinnedLink>(env));
  exports.Set("queryXdp", Napi::Function::New<QueryXdp>(env));
}

}  // namespace sluice
