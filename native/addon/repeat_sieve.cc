// SPDX-License-Identifier: Apache-2.0
#include "repeat_sieve.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace sluice {

namespace {

constexpr napi_type_tag kSieveTag = {0x5c1ce0d1a7a9b001ULL, 0x0000000000000003ULL};
constexpr size_t kSessionOctets = 6;
constexpr size_t kSequenceOctets = 6;
constexpr size_t kCodeOctets = 16;
// More senders and sessions than a link has in a long time: who comes after that begins a new list.
constexpr size_t kMostWords = 4096;

uint64_t Sequence(const uint8_t* octets) {
  uint64_t sequence = 0;
  for (size_t i = 0; i < kSequenceOctets; i++) sequence = sequence << 8 | octets[i];
  return sequence;
}

}  // namespace

Napi::Function RepeatSieve::Define(Napi::Env env) {
  return DefineClass(env, "RepeatSieve",
                     {InstanceMethod<&RepeatSieve::Learn>("learn"), InstanceMethod<&RepeatSieve::Forget>("forget"),
                      InstanceMethod<&RepeatSieve::SiftInto>("sift")});
}

RepeatSieve::RepeatSieve(const Napi::CallbackInfo& info)
    : ObjectWrap(info), hmac_(info, 0), name_at_(Uint32Argument(info, 1, "nameAt")) {
  info.This().As<Napi::Object>().TypeTag(&kSieveTag);
}

RepeatSieve* RepeatSieve::From(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kSieveTag)) return nullptr;
  return Unwrap(value.As<Napi::Object>());
}

size_t RepeatSieve::SequenceAt(const Bytes& datagram) const {
  if (datagram.length <= name_at_) return 0;
  const size_t at = name_at_ + 1 + datagram.data[name_at_] + kSessionOctets;
  return at + kSequenceOctets + kCodeOctets <= datagram.length ? at : 0;
}

std::string RepeatSieve::Sender(const Bytes& datagram, size_t sequence_at) const {
  return {reinterpret_cast<const char*>(datagram.data) + name_at_, sequence_at - name_at_};
}

bool RepeatSieve::IsRepeat(const Bytes& datagram, size_t sequence_at, const Word& word) const {
  if (datagram.length != word.datagram.size()) return false;
  const size_t behind = sequence_at + kSequenceOctets;
  return std::memcmp(datagram.data, word.datagram.data(), sequence_at) == 0 &&
         std::memcmp(datagram.data + behind, word.datagram.data() + behind, datagram.length - kCodeOctets - behind) == 0;
}

Napi::Value RepeatSieve::Learn(const Napi::CallbackInfo& info) {
  const Bytes datagram = BytesArgument(info, 0, "datagram");
  const size_t sequence_at = SequenceAt(datagram);
  if (sequence_at == 0) BadArgument(info.Env(), "the datagram does not say who has sent it");
  if (words_.size() == kMostWords) {
    slots_.clear();
    words_.clear();
  }
  const auto [place, isNew] = slots_.try_emplace(Sender(datagram, sequence_at), words_.size());
  if (isNew) words_.emplace_back();
  words_[place->second].datagram.assign(datagram.data, datagram.data + datagram.length);
  return Napi::Number::New(info.Env(), place->second);
}

Napi::Value RepeatSieve::Forget(const Napi::CallbackInfo& info) {
  const Bytes datagram = BytesArgument(info, 0, "datagram");
  const size_t sequence_at = SequenceAt(datagram);
  const auto place = sequence_at == 0 ? slots_.end() : slots_.find(Sender(datagram, sequence_at));
  if (place != slots_.end()) words_[place->second].datagram.clear();
  return info.Env().Undefined();
}

Napi::Value RepeatSieve::SiftInto(const Napi::CallbackInfo& info) {
  const DatagramRoom room = DatagramRoom::Of(info[0], info[1], info[2]);
  const size_t count = Uint32Argument(info, 3, "count");
  if (count > room.slots) BadArgument(info.Env(), "there are fewer datagrams than that");
  Sifted sifted = {};
  sifted.left = reinterpret_cast<int32_t*>(BytesArgument(info, 4, "left", room.slots * sizeof(int32_t)).data);
  sifted.heard = reinterpret_cast<double*>(BytesArgument(info, 5, "heard", room.slots * kRow * sizeof(double)).data);
  auto* tally = reinterpret_cast<int32_t*>(BytesArgument(info, 6, "tally", 2 * sizeof(int32_t)).data);
  Sift(room, count, sifted);
  tally[0] = static_cast<int32_t>(sifted.others);
  tally[1] = static_cast<int32_t>(sifted.unproved);
  return Napi::Number::New(info.Env(), static_cast<double>(sifted.rows));
}

void RepeatSieve::Sift(const DatagramRoom& room, size_t count, Sifted& into) {
  repeats_.clear();
  into.others = into.rows = into.unproved = 0;
  for (size_t i = 0; i < count; i++) {
    const Bytes one = room.At(i);
    const size_t sequence_at = SequenceAt(one);
    const auto place = sequence_at == 0 ? slots_.end() : slots_.find(Sender(one, sequence_at));
    if (place != slots_.end() && IsRepeat(one, sequence_at, words_[place->second]))
      repeats_.push_back({place->second, Sequence(one.data + sequence_at), static_cast<uint32_t>(i)});
    else
      into.left[into.others++] = static_cast<int32_t>(i);
  }
  // Of each sender the latest first: those before it say no more, unless it is forged.
  std::sort(repeats_.begin(), repeats_.end(), [](const Repeat& a, const Repeat& b) {
    return std::tie(a.slot, b.sequence, a.index) < std::tie(b.slot, a.sequence, b.index);
  });
  for (const Repeat& repeat : repeats_) {
    if (into.rows > 0 && into.heard[(into.rows - 1) * kRow] == repeat.slot) continue;
    const Bytes one = room.At(repeat.index);
    const size_t length = one.length - kCodeOctets;
    if (!hmac_.Proves(one.data, length, one.data + length, kCodeOctets)) {
      into.unproved++;
      continue;
    }
    double* row = into.heard + into.rows++ * kRow;
    row[0] = repeat.slot;
    row[1] = static_cast<double>(repeat.sequence);
    row[2] = room.ages[repeat.index];
    row[3] = repeat.index;
  }
}

bool RepeatSieve::Renew(const Bytes& datagram, uint64_t sequence) {
  const size_t at = SequenceAt(datagram);
  uint8_t code[Hmac::kOctets];
  if (at == 0) return false;
  for (size_t i = 0; i < kSequenceOctets; i++)
    datagram.data[at + i] = static_cast<uint8_t>(sequence >> 8 * (kSequenceOctets - 1 - i));
  const size_t length = datagram.length - kCodeOctets;
  if (!hmac_.Compute(datagram.data, length, code)) return false;
  std::memcpy(datagram.data + length, code, kCodeOctets);
  return true;
}

}  // namespace sluice
