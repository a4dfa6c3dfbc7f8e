// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats at rest. A member says the same five times a second, but for a number that grows and the code that proves it: what
// is new is only that it lives. Such repeats are recognised, proved and counted here, and JavaScript gets one row for each
// member; all else it reads itself. Read one by one they cost more than twice as much (`npm run bench -- l2`).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <napi.h>

#include "errors.h"
#include "hmac.h"

namespace sluice {

class RepeatSieve : public Napi::ObjectWrap<RepeatSieve> {
 public:
  static Napi::Function Define(Napi::Env env);
  // new RepeatSieve(key, nameAt): there a datagram has the length of its sender's name, then the name, 6 octets of its
  // session and 6 of its sequence number; its last 16 are the code
  explicit RepeatSieve(const Napi::CallbackInfo& info);

 private:
  struct Word {
    // What the sender says again and again; empty for nothing that is known.
    std::vector<uint8_t> datagram;
  };
  struct Repeat {
    uint32_t slot;
    uint64_t sequence;
    uint32_t index;
  };

  // learn(datagram): it is proved, and what its sender says from now on; a number for the sender and its session
  Napi::Value Learn(const Napi::CallbackInfo& info);
  // forget(datagram): its sender has said something else since
  Napi::Value Forget(const Napi::CallbackInfo& info);
  // sift(into, lengths, ages, count, left, heard, tally): of datagrams as DatagramSocket::Receive leaves them. Those that
  // are no repeats go to `left`, by their index. Each sender with a repeat that is proved has a row in `heard` for the one
  // with the largest sequence number: the sender's number, sequence, age, index. Returns how many rows; tally[0] is how many
  // are left, tally[1] how many repeats were not proved
  Napi::Value Sift(const Napi::CallbackInfo& info);

  // 0 where it is too short to have one.
  size_t SequenceAt(const Bytes& datagram) const;
  std::string Sender(const Bytes& datagram, size_t sequence_at) const;
  bool IsRepeat(const Bytes& datagram, size_t sequence_at, const Word& word) const;

  Hmac hmac_;
  const size_t name_at_;
  std::unordered_map<std::string, uint32_t> slots_;
  std::vector<Word> words_;
  std::vector<Repeat> repeats_;
};

}  // namespace sluice
