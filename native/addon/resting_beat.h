// SPDX-License-Identifier: Apache-2.0
//
// The heartbeat of a node at rest: while all members say again and again that nothing is new, and so does this node, nothing
// is left to decide, and what is said and heard five times a second does not step into JavaScript. By a timer of the thread's
// own loop it says the same again, hears who else does, and wakes JavaScript for anything else:
//
//   a datagram that is no repeat, or one of a sender who is not expected; a frame on one of the watched descriptors
//   a sender who would be missed before the next beat
//   a beat that is so late that others may take this node for dead: nothing more is said before JavaScript has judged
//   the time until which it was to rest
//
// A thread that hangs, or whose JavaScript never ends, says nothing, as without this.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <napi.h>

#include "datagram_socket.h"
#include "loop_timer.h"
#include "repeat_sieve.h"
#include "resource.h"

namespace sluice {

class RestingBeat : public Napi::ObjectWrap<RestingBeat>, public Resource {
 public:
  static Napi::Function Define(Napi::Env env);
  // new RestingBeat(sieve, sockets, left, heard, wake): each socket is [socket, octets, lengths, ages] with room for what it
  // takes; `left` and `heard` have room for what the sieve finds
  explicit RestingBeat(const Napi::CallbackInfo& info);
  ~RestingBeat() override { Close(); }

 private:
  // Fields of the clock, which JavaScript shares: milliseconds by its clock, and counts.
  enum Field : size_t {
    // Given: the moment, the next beat and the time from one to the next, the shortest silence by which a sender is missed,
    // until when it may rest, the delay after which it must not go on, and whether it looks at each beat
    kNow,
    kNext,
    kEvery,
    kPatience,
    kUntil,
    kDead,
    kAwaits,
    // Given, and left as they are at the end: the sequence number that was said last, when the sockets were last looked at
    kSequence,
    kLastLook,
    // Left: when it was last in time
    kLived,
    kSent,
    kUnsent,
    kReceived,
    kRefused,
    // Left, of the datagrams that JavaScript is to read: how many were taken, and what the sieve says of them
    kTaken,
    kRows,
    kOthers,
    kUnproved,
    kFields,
  };
  struct Ear {
    DatagramSocket* socket;
    DatagramRoom room;
  };
  struct Message {
    std::vector<uint8_t> datagram;
    // By socket.
    std::vector<std::vector<uint8_t>> addresses;
  };

  void Release() override;
  // begin(messages, port, signs, clock, watched): each message is a datagram and, for each of the sockets, the addresses that
  // get it there; of each sender of the sieve, `signs` has the sequence number that was heard last, and when: -1 for one who is
  // not expected
  Napi::Value Begin(const Napi::CallbackInfo& info);
  // end(): the index of the socket whose datagrams are to be read as the sieve has left them; -1 for none
  Napi::Value End(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  double Now() const;
  void Fire();
  // Whether it may rest until the next beat.
  bool Beat(double now);
  bool IsCalled() const;
  double OldestSign() const;
  // Whether nothing was there but repeats of those who are expected.
  bool Look(double now);
  // The same of what was taken and sifted last.
  bool Absorb(double now, size_t taken);
  void Say();
  void Wake();

  Napi::Env env_;
  std::unique_ptr<LoopTimer> timer_;
  RepeatSieve* sieve_;
  std::vector<Ear> ears_;
  Sifted sifted_ = {};
  Napi::FunctionReference wake_;
  // What the pointers above point into.
  std::vector<Napi::ObjectReference> kept_;
  bool resting_ = false;
  int32_t unread_ = -1;
  std::vector<Message> messages_;
  std::vector<int> watched_;
  uint16_t port_ = 0;
  Napi::ObjectReference clock_kept_;
  Napi::ObjectReference signs_kept_;
  double* clock_ = nullptr;
  double* signs_ = nullptr;
  size_t senders_ = 0;
  // From the monotonic clock to that of JavaScript.
  double offset_ = 0;
};

}  // namespace sluice
