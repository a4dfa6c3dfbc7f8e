// SPDX-License-Identifier: Apache-2.0
//
// Giving up rights. In Linux capabilities belong to threads; what is given up here never comes back, and threads that are
// started later have what their parent had left.
#pragma once

#include <napi.h>

namespace sluice {

void DefineCapabilities(Napi::Env env, Napi::Object exports);

}  // namespace sluice
