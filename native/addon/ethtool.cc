// SPDX-License-Identifier: Apache-2.0
#include "ethtool.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "errors.h"
#include "resource.h"

namespace sluice {

namespace {

// 0 or an errno.
int Command(const std::string& interface, void* command) {
  if (interface.size() >= IFNAMSIZ) return ENODEV;
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return errno;
  ifreq request = {};
  memcpy(request.ifr_name, interface.c_str(), interface.size());
  request.ifr_data = static_cast<char*>(command);
  return ioctl(fd.get(), SIOCETHTOOL, &request) == 0 ? 0 : errno;
}

Napi::Value Driver(const Napi::CallbackInfo& info) {
  const std::string interface = StringArgument(info, 0, "interface");
  ethtool_drvinfo about = {};
  about.cmd = ETHTOOL_GDRVINFO;
  const int error = Command(interface, &about);
  // Some virtual devices have no driver to speak of (lo).
  if (error == EOPNOTSUPP) return Napi::String::New(info.Env(), "");
  if (error != 0) Fail(info.Env(), "ioctl(SIOCETHTOOL)", error, "ask for the driver of " + interface);
  return Napi::String::New(info.Env(), about.driver);
}

Napi::Value RxQueues(const Napi::CallbackInfo& info) {
  const std::string interface = StringArgument(info, 0, "interface");
  ethtool_channels channels = {};
  channels.cmd = ETHTOOL_GCHANNELS;
  int error = Command(interface, &channels);
  uint32_t count = channels.rx_count + channels.combined_count;
  if (error == EOPNOTSUPP) {
    ethtool_rxnfc rings = {};
    rings.cmd = ETHTOOL_GRXRINGS;
    error = Command(interface, &rings);
    count = static_cast<uint32_t>(rings.data);
    // A driver that answers neither has one queue.
    if (error == EOPNOTSUPP) {
      error = 0;
      count = 1;
    }
  }
  if (error != 0) Fail(info.Env(), "ioctl(SIOCETHTOOL)", error, "count the receive queues of " + interface);
  return Napi::Number::New(info.Env(), count);
}

Napi::Value Get(const Napi::CallbackInfo& info) {
  const std::string interface = StringArgument(info, 0, "interface");
  ethtool_value value = {};
  value.cmd = Uint32Argument(info, 1, "command");
  const int error = Command(interface, &value);
  if (error != 0) Fail(info.Env(), "ioctl(SIOCETHTOOL)", error, "read an offload of " + interface);
  return Napi::Number::New(info.Env(), value.data);
}

Napi::Value Set(const Napi::CallbackInfo& info) {
  const std::string interface = StringArgument(info, 0, "interface");
  ethtool_value value = {};
  value.cmd = Uint32Argument(info, 1, "command");
  value.data = Uint32Argument(info, 2, "value");
  const int error = Command(interface, &value);
  if (error != 0) Fail(info.Env(), "ioctl(SIOCETHTOOL)", error, "set an offload of " + interface);
  return info.Env().Undefined();
}

}  // namespace

void DefineEthtool(Napi::Env env, Napi::Object exports) {
  exports.Set("ethtoolDriver", Napi::Function::New<Driver>(env));
  exports.Set("ethtoolRxQueues", Napi::Function::New<RxQueues>(env));
  exports.Set("ethtoolGet", Napi::Function::New<Get>(env));
  exports.Set("ethtoolSet", Napi::Function::New<Set>(env));
}

}  // namespace sluice
