// SPDX-License-Identifier: Apache-2.0
//
// TCP sockets with the options that BGP needs and Node does not offer: MD5 signatures (RFC 2385), a TTL, a minimum TTL
// (RFC 5082), a device, a source port. They are made here, bound but neither connecting nor listening, and Node goes on.
#pragma once

#include <napi.h>

namespace sluice {

// tcpSocket(address, port, device, ttl, minTtl) -> fd, owned by the caller
// tcpSetMd5(fd, peerAddress, key: Uint8Array): an empty key removes it
// closeFd(fd): for a socket that Node did not take over
void DefineTcp(Napi::Env env, Napi::Object exports);

}  // namespace sluice
