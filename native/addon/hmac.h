// SPDX-License-Identifier: Apache-2.0
//
// HMAC with SHA-256 (RFC 2104) by the OpenSSL that is in Node.js, whose symbols addons may use. The key's two blocks are hashed
// once; Node's own interface does that again for each code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <napi.h>

struct evp_md_ctx_st;

namespace sluice {

class Hmac {
 public:
  static constexpr size_t kOctets = 32;

  // The key is the argument at `index`, of at most 64 octets. Throws where there is no OpenSSL to compute with: codes that
  // nobody can make or prove would part this node from all others without a word.
  Hmac(const Napi::CallbackInfo& info, size_t index);

  // kOctets of code. False where OpenSSL fails, as without memory.
  bool Compute(const uint8_t* octets, size_t length, uint8_t* into);
  // In constant time, whether the code of the octets begins with these.
  bool Proves(const uint8_t* octets, size_t length, const uint8_t* code, size_t code_length);

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_md_ctx_st, Free>;

  static Context Begun(const uint8_t* key, size_t length, uint8_t pad);

  Context inner_;
  Context outer_;
  Context working_;
};

}  // namespace sluice
