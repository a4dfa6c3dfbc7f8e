// SPDX-License-Identifier: Apache-2.0
//
// What BGP's neighbours need beside TCP: the TTL of a socket that Node made, the TTL check of BFD (RFC 5881 §5), and
// ICMPv6 messages for links without addresses (RFC 4861).
#pragma once

#include <napi.h>

namespace sluice {

// setHopLimit(fd, family, ttl, minTtl): family 4 or 6; 0 leaves one alone. minTtl is for TCP only.
// requireHopLimit(fd, family, minTtl): a UDP socket then takes no packet with less
// sendIcmp6(interfaceName, destination, message): one message with hop limit 255; the kernel writes the checksum
void DefineHopLimit(Napi::Env env, Napi::Object exports);

}  // namespace sluice
