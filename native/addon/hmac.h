// SPDX-License-Identifier: Apache-2.0
//
// HMAC with SHA-256 (RFC 2104) by the OpenSSL that is in Node.js, whose symbols addons may use. The key's two blocks are hashed
// once; Node's own interface does that again for each code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

struct evp_md_ctx_st;

namespace sluice {

class Hmac {
 public:
  static constexpr size_t kOctets = 32;
  static constexpr size_t kLongestKey = 64;

  // `length` is at most kLongestKey. Without OpenSSL's symbols, or when it fails, no code proves anything.
  void Key(const uint8_t* key, size_t length);
  // `into` has room for kOctets. `false` where OpenSSL fails.
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
