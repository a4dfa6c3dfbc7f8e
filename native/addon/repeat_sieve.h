// SPDX-License-Identifier: Apache-2.0
//
// Heartbeats at rest. A member says the same five times a second, but for a number that grows and the code that proves it: what
// is new is only that it lives. Such repeats are recognised, proved and counted here, so that none is decoded to learn
// that alone, and JavaScript gets one row for each member; all else it reads itself.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <napi.h>

#include "datagram_socket.h"
#include "errors.h"
#include "hmac.h"

namespace sluice {

// Where it is said what datagrams are, and what: as many of each as there are datagrams.
struct Sifted {
  // By their index, those that are no repeats.
  int32_t* left;
  // A row for each sender with a repeat that is proved, of the one with the largest sequence number: the sender's number,
  // sequence, age, index.
  double* heard;
  // How many of each, and how many repeats were not proved.
  size_t others;
  size_t rows;
  size_t unproved;
};

class RepeatSieve : public Napi::ObjectWrap<RepeatSieve> {
 public:
  static constexpr size_t kRow = 4;

  static Napi::Function Define(Napi::Env env);
  // new RepeatSieve(key, nameAt): there a datagram has the length of its sender's name, then the name, 6 octets of its
  // session and 6 of its sequence number; its last 16 are the code
  explicit RepeatSieve(const Napi::CallbackInfo& info);

  // Null for a value that is none.
  static RepeatSieve* From(Napi::Value value);
  void Sift(const DatagramRoom& room, size_t count, Sifted& into);
  // Says the same again: with another sequence number, and its code. `false` where it does not say who sends it, or cannot be
  // proved.
  bool Renew(const Bytes& datagram, uint64_t sequence);

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
  // sift(octets, lengths, ages, count, left, heard, tally): of datagrams as DatagramSocket leaves them. Returns how many
  // rows there are; tally[0] is how many are left, tally[1] how many repeats were not proved
  Napi::Value SiftInto(const Napi::CallbackInfo& info);

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
