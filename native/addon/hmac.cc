// SPDX-License-Identifier: Apache-2.0
#include "hmac.h"

#include "errors.h"

// OpenSSL's headers are not needed to build the addon: these are stable since 1.1. Weak, so that a Node.js that keeps them to
// itself is told at the start; else the linker would end the process at the first heartbeat.
extern "C" {
struct evp_md_st;
struct engine_st;
[[gnu::weak]] evp_md_ctx_st* EVP_MD_CTX_new(void);
[[gnu::weak]] void EVP_MD_CTX_free(evp_md_ctx_st* context);
[[gnu::weak]] int EVP_MD_CTX_copy_ex(evp_md_ctx_st* to, const evp_md_ctx_st* from);
[[gnu::weak]] const evp_md_st* EVP_sha256(void);
[[gnu::weak]] int EVP_DigestInit_ex(evp_md_ctx_st* context, const evp_md_st* type, engine_st* engine);
[[gnu::weak]] int EVP_DigestUpdate(evp_md_ctx_st* context, const void* octets, size_t length);
[[gnu::weak]] int EVP_DigestFinal_ex(evp_md_ctx_st* context, unsigned char* into, unsigned int* length);
}

namespace sluice {

namespace {

constexpr size_t kBlock = 64;

bool IsThere() {
  return EVP_MD_CTX_new != nullptr && EVP_MD_CTX_free != nullptr && EVP_MD_CTX_copy_ex != nullptr &&
         EVP_sha256 != nullptr && EVP_DigestInit_ex != nullptr && EVP_DigestUpdate != nullptr &&
         EVP_DigestFinal_ex != nullptr;
}

}  // namespace

void Hmac::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Hmac::Hmac(const Napi::CallbackInfo& info, size_t index) {
  const Bytes key = BytesArgument(info, index, "key");
  if (key.length > kBlock) BadArgument(info.Env(), "a key has at most 64 octets");
  if (IsThere()) {
    inner_ = Begun(key.data, key.length, 0x36);
    outer_ = Begun(key.data, key.length, 0x5c);
    working_.reset(EVP_MD_CTX_new());
  }
  if (inner_ == nullptr || outer_ == nullptr || working_ == nullptr)
    throw Napi::Error::New(info.Env(),
                           "cannot authenticate: this Node.js has no OpenSSL that addons may use for SHA-256; "
                           "run Sluice by the Node.js that `npm install` brings, or by one from nodejs.org");
}

Hmac::Context Hmac::Begun(const uint8_t* key, size_t length, uint8_t pad) {
  uint8_t block[kBlock];
  for (size_t i = 0; i < kBlock; i++) block[i] = (i < length ? key[i] : 0) ^ pad;
  Context context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), block, sizeof(block)) != 1)
    return nullptr;
  return context;
}

bool Hmac::Compute(const uint8_t* octets, size_t length, uint8_t* into) {
  evp_md_ctx_st* working = working_.get();
  uint8_t hash[kOctets];
  return EVP_MD_CTX_copy_ex(working, inner_.get()) == 1 && EVP_DigestUpdate(working, octets, length) == 1 &&
         EVP_DigestFinal_ex(working, hash, nullptr) == 1 && EVP_MD_CTX_copy_ex(working, outer_.get()) == 1 &&
         EVP_DigestUpdate(working, hash, sizeof(hash)) == 1 && EVP_DigestFinal_ex(working, into, nullptr) == 1;
}

bool Hmac::Proves(const uint8_t* octets, size_t length, const uint8_t* code, size_t code_length) {
  uint8_t own[kOctets];
  if (code_length > kOctets || !Compute(octets, length, own)) return false;
  uint8_t difference = 0;
  for (size_t i = 0; i < code_length; i++) difference |= own[i] ^ code[i];
  return difference == 0;
}

}  // namespace sluice
