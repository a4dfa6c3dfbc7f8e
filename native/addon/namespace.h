// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

namespace sluice {

// enterNetworkNamespace(path): moves the calling thread, and what it starts from then on.
void DefineNamespace(Napi::Env env, Napi::Object exports);

}  // namespace sluice
