// SPDX-License-Identifier: Apache-2.0
//
// What ethtool(8) shows and sets of an interface, through its ioctl: driver, queues, offloads.
#pragma once

#include <napi.h>

namespace sluice {

// ethtoolDriver(interface) -> string; ethtoolRxQueues(interface) -> number;
// ethtoolGet(interface, command) -> number; ethtoolSet(interface, command, value)
void DefineEthtool(Napi::Env env, Napi::Object exports);

}  // namespace sluice
