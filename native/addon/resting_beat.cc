// SPDX-License-Identifier: Apache-2.0
#include "resting_beat.h"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "errors.h"

namespace sluice {

namespace {

// How often all is taken that there is room for: what is left then is JavaScript's, which has bounds of its own.
constexpr int kMostRounds = 8;
constexpr size_t kMostWatched = 256;
constexpr size_t kSign = 2;
// What has to be heard until the next beat is heard at this one.
constexpr double kAhead = 1;

double Monotonic() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::vector<uint8_t> Copy(Napi::Value value) {
  const Bytes octets = BytesOf(value, "a datagram, or addresses,");
  return {octets.data, octets.data + octets.length};
}

}  // namespace

Napi::Function RestingBeat::Define(Napi::Env env) {
  return DefineClass(env, "RestingBeat",
                     {InstanceMethod<&RestingBeat::Begin>("begin"), InstanceMethod<&RestingBeat::End>("end"),
                      InstanceMethod<&RestingBeat::CloseNow>("close")});
}

RestingBeat::RestingBeat(const Napi::CallbackInfo& info)
    : ObjectWrap(info), Resource(info.Env(), Rank::kSocket), env_(info.Env()) {
  sieve_ = RepeatSieve::From(info[0]);
  if (sieve_ == nullptr || !info[1].IsArray() || !info[4].IsFunction())
    BadArgument(env_, "a resting beat needs a sieve, sockets and a function");
  const auto keep = [this](Napi::Value value) { kept_.push_back(Napi::Persistent(value.As<Napi::Object>())); };
  keep(info[0]);
  const auto sockets = info[1].As<Napi::Array>();
  size_t slots = 0;
  for (uint32_t i = 0; i < sockets.Length(); i++) {
    const Napi::Value parts = sockets[i];
    if (!parts.IsArray()) BadArgument(env_, "a socket comes with room for what it takes");
    const auto part = [&](uint32_t index) { return Napi::Value(parts.As<Napi::Array>()[index]); };
    DatagramSocket* socket = DatagramSocket::From(part(0));
    if (socket == nullptr) BadArgument(env_, "the first of a socket's parts must be a DatagramSocket");
    ears_.push_back({socket, DatagramRoom::Of(part(1), part(2), part(3))});
    slots = std::max(slots, ears_.back().room.slots);
    for (uint32_t index = 0; index < 4; index++) keep(part(index));
  }
  sifted_.left = reinterpret_cast<int32_t*>(BytesArgument(info, 2, "left", slots * sizeof(int32_t)).data);
  sifted_.heard =
      reinterpret_cast<double*>(BytesArgument(info, 3, "heard", slots * RepeatSieve::kRow * sizeof(double)).data);
  keep(info[2]);
  keep(info[3]);
  wake_ = Napi::Persistent(info[4].As<Napi::Function>());
  timer_ = std::make_unique<LoopTimer>(env_, [this] { Fire(); });
}

void RestingBeat::Release() {
  resting_ = false;
  timer_.reset();
}

double RestingBeat::Now() const { return Monotonic() + offset_; }

Napi::Value RestingBeat::Begin(const Napi::CallbackInfo& info) {
  if (closed()) BadArgument(env_, "it is closed");
  if (!info[0].IsArray() || !info[4].IsArray()) BadArgument(env_, "begin takes messages, and descriptors to watch");
  port_ = static_cast<uint16_t>(Uint32Argument(info, 1, "port"));
  const Bytes signs = BytesArgument(info, 2, "signs");
  const Bytes clock = BytesArgument(info, 3, "clock", kFields * sizeof(double));
  const auto messages = info[0].As<Napi::Array>();
  messages_.clear();
  for (uint32_t i = 0; i < messages.Length(); i++) {
    const Napi::Value one = messages[i];
    const auto parts = one.As<Napi::Array>();
    if (!one.IsArray() || parts.Length() != 1 + ears_.size())
      BadArgument(env_, "a message is a datagram, and addresses for each socket");
    Message message = {Copy(parts[0u]), {}};
    for (uint32_t ear = 0; ear < ears_.size(); ear++) message.addresses.push_back(Copy(parts[1 + ear]));
    messages_.push_back(std::move(message));
  }
  const auto watched = info[4].As<Napi::Array>();
  watched_.clear();
  for (uint32_t i = 0; i < watched.Length(); i++) watched_.push_back(Napi::Value(watched[i]).ToNumber().Int32Value());
  if (watched_.size() > kMostWatched) BadArgument(env_, "that are too many descriptors to watch");
  signs_kept_ = Napi::Persistent(info[2].As<Napi::Object>());
  clock_kept_ = Napi::Persistent(info[3].As<Napi::Object>());
  clock_ = reinterpret_cast<double*>(clock.data);
  signs_ = reinterpret_cast<double*>(signs.data);
  senders_ = signs.length / sizeof(double) / kSign;
  offset_ = clock_[kNow] - Monotonic();
  clock_[kLived] = clock_[kNow];
  std::fill(clock_ + kSent, clock_ + kFields, 0);
  unread_ = -1;
  resting_ = true;
  timer_->Start(clock_[kNext] - clock_[kNow]);
  return env_.Undefined();
}

Napi::Value RestingBeat::End(const Napi::CallbackInfo&) {
  if (resting_ && !closed()) timer_->Stop();
  resting_ = false;
  const int32_t unread = unread_;
  unread_ = -1;
  return Napi::Number::New(env_, unread);
}

Napi::Value RestingBeat::CloseNow(const Napi::CallbackInfo&) {
  Close();
  return env_.Undefined();
}

void RestingBeat::Fire() {
  if (!resting_) return;
  const double now = Now();
  if (Beat(now))
    timer_->Start(clock_[kNext] - now);
  else
    Wake();
}

bool RestingBeat::Beat(double now) {
  if (now - clock_[kLived] >= clock_[kDead]) return false;
  clock_[kLived] = now;
  if (IsCalled()) return false;
  const auto misses = [&] { return OldestSign() + clock_[kPatience] <= now + clock_[kEvery] + kAhead; };
  if ((clock_[kAwaits] != 0 || misses()) && (!Look(now) || misses())) return false;
  if (now >= clock_[kNext]) {
    Say();
    // In step, unless it is late by more than a beat: then it goes on from here.
    const double beat = std::max(clock_[kNext], now - clock_[kEvery]);
    clock_[kNext] = beat + clock_[kEvery];
  }
  return now < clock_[kUntil];
}

bool RestingBeat::IsCalled() const {
  if (watched_.empty()) return false;
  pollfd fds[kMostWatched];
  for (size_t i = 0; i < watched_.size(); i++) fds[i] = {watched_[i], POLLIN, 0};
  return poll(fds, watched_.size(), 0) > 0;
}

double RestingBeat::OldestSign() const {
  double oldest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < senders_; i++) {
    if (signs_[i * kSign] >= 0) oldest = std::min(oldest, signs_[i * kSign + 1]);
  }
  return oldest;
}

bool RestingBeat::Look(double now) {
  for (size_t ear = 0; ear < ears_.size(); ear++) {
    const auto& [socket, room] = ears_[ear];
    for (int round = 0; round < kMostRounds; round++) {
      const size_t taken = socket->Take(room);
      if (taken == 0) break;
      sieve_->Sift(room, taken, sifted_);
      if (!Absorb(now, taken)) {
        unread_ = static_cast<int32_t>(ear);
        return false;
      }
    }
  }
  clock_[kLastLook] = now;
  return true;
}

bool RestingBeat::Absorb(double now, size_t taken) {
  bool expected = sifted_.others == 0;
  const auto row = [&](size_t index) { return sifted_.heard + index * RepeatSieve::kRow; };
  for (size_t i = 0; expected && i < sifted_.rows; i++) {
    const auto sender = static_cast<size_t>(row(i)[0]);
    expected = sender < senders_ && signs_[sender * kSign] >= 0;
  }
  if (!expected) {
    clock_[kTaken] = static_cast<double>(taken);
    clock_[kRows] = static_cast<double>(sifted_.rows);
    clock_[kOthers] = static_cast<double>(sifted_.others);
    clock_[kUnproved] = static_cast<double>(sifted_.unproved);
    return false;
  }
  for (size_t i = 0; i < sifted_.rows; i++) {
    double* sign = signs_ + static_cast<size_t>(row(i)[0]) * kSign;
    // One that is played again is no later than itself.
    if (row(i)[1] <= sign[0]) continue;
    // Whatever the wall clock says: what had come before the last look was taken then.
    const double came = std::min(std::max(now - row(i)[2], clock_[kLastLook]), now);
    sign[0] = row(i)[1];
    sign[1] = std::max(sign[1], came);
  }
  clock_[kReceived] += static_cast<double>(taken - sifted_.unproved);
  clock_[kRefused] += static_cast<double>(sifted_.unproved);
  return true;
}

void RestingBeat::Say() {
  for (Message& message : messages_) {
    const Bytes datagram = {message.datagram.data(), message.datagram.size()};
    const bool renewed = sieve_->Renew(datagram, static_cast<uint64_t>(++clock_[kSequence]));
    for (size_t ear = 0; ear < ears_.size(); ear++) {
      const Bytes addresses = {message.addresses[ear].data(), message.addresses[ear].size()};
      const size_t count = addresses.length / ears_[ear].socket->AddressOctets();
      const size_t unsent = renewed ? ears_[ear].socket->SendTo(datagram, addresses, port_) : count;
      clock_[kSent] += static_cast<double>(count - unsent);
      clock_[kUnsent] += static_cast<double>(unsent);
    }
  }
}

void RestingBeat::Wake() {
  // Whoever is called ends the rest; nothing is said meanwhile.
  resting_ = false;
  Napi::HandleScope scope(env_);
  napi_value result = nullptr;
  const napi_status status =
      napi_make_callback(env_, nullptr, env_.Global(), wake_.Value(), 0, nullptr, &result);
  if (status != napi_pending_exception) return;
  napi_value error = nullptr;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

}  // namespace sluice
