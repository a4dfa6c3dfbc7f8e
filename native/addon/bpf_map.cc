// SPDX-License-Identifier: Apache-2.0
#include "bpf_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice {

namespace {

size_t RoundUp(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

bool IsMap(int fd) {
  char kind[32];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), kind, sizeof(kind));
  return length > 0 && std::string(kind, static_cast<size_t>(length)) == "anon_inode:bpf-map";
}

bool IsPerCpu(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

}  // namespace

Napi::Function BpfMap::Define(Napi::Env env) {
  return DefineClass(
      env, "BpfMap",
      {InstanceMethod<&BpfMap::Describe>("describe"), InstanceMethod<&BpfMap::Lookup>("lookup"),
       InstanceMethod<&BpfMap::Update>("update"), InstanceMethod<&BpfMap::Delete>("delete"),
       InstanceMethod<&BpfMap::NextKey>("nextKey"), InstanceMethod<&BpfMap::UpdateBatch>("updateBatch"),
       InstanceMethod<&BpfMap::LookupBatch>("lookupBatch"), InstanceMethod<&BpfMap::DeleteBatch>("deleteBatch"),
       InstanceMethod<&BpfMap::Map>("map"), InstanceMethod<&BpfMap::MapRing>("mapRing"),
       InstanceMethod<&BpfMap::CloseNow>("close")});
}

BpfMap::BpfMap(const Napi::CallbackInfo& info) : ObjectWrap(info), Resource(info.Env(), Rank::kBpf) {
  Napi::Env env = info.Env();
  const int given = FdArgument(info, 0, "fd");
  fd_ = Fd(fcntl(given, F_DUPFD_CLOEXEC, 0));
  if (fd_.get() < 0) Fail(env, "fcntl", errno, "open the BPF map of descriptor " + std::to_string(given));
  bpf_map_info about = {};
  uint32_t length = sizeof(about);
  int error = -bpf_obj_get_info_by_fd(fd_.get(), &about, &length);
  // A program or link answers too, with other fields at these places.
  if (error == 0 && !IsMap(fd_.get())) error = EINVAL;
  if (error != 0)
    Fail(env, "bpf(BPF_OBJ_GET_INFO_BY_FD)", error, "open the BPF map of descriptor " + std::to_string(given));
  name_ = about.name;
  type_ = about.type;
  key_size_ = about.key_size;
  max_entries_ = about.max_entries;
  flags_ = about.map_flags;
  value_size_ = about.value_size;
  if (IsPerCpu(type_)) value_size_ = RoundUp(value_size_, 8) * static_cast<size_t>(libbpf_num_possible_cpus());
}

void BpfMap::Release() {
  if (memory_ != nullptr) memory_->Retire();
  if (consumer_ != nullptr) consumer_->Retire();
  fd_.Reset();
}

void BpfMap::RequireOpen(Napi::Env env) const {
  if (closed()) BadArgument(env, "the BPF map " + name_ + " is closed");
}

Bytes BpfMap::Keys(const Napi::CallbackInfo& info, size_t index, size_t count) const {
  RequireOpen(info.Env());
  return BytesArgument(info, index, "key", key_size_ * count);
}

Bytes BpfMap::Values(const Napi::CallbackInfo& info, size_t index, size_t count) const {
  return BytesArgument(info, index, "value", value_size_ * count);
}

Napi::Value BpfMap::Describe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Napi::Object result = Napi::Object::New(env);
  result.Set("fd", Napi::Number::New(env, fd_.get()));
  result.Set("name", Napi::String::New(env, name_));
  result.Set("type", Napi::Number::New(env, type_));
  result.Set("keySize", Napi::Number::New(env, key_size_));
  result.Set("valueSize", Napi::Number::New(env, static_cast<double>(value_size_)));
  result.Set("maxEntries", Napi::Number::New(env, max_entries_));
  result.Set("flags", Napi::Number::New(env, flags_));
  return result;
}

Napi::Value BpfMap::Lookup(const Napi::CallbackInfo& info) {
  const Bytes key = Keys(info, 0);
  const Bytes value = Values(info, 1);
  const int error = -bpf_map_lookup_elem(fd_.get(), key.data, value.data);
  if (error != 0 && error != ENOENT) Fail(info.Env(), "bpf(BPF_MAP_LOOKUP_ELEM)", error, "read the BPF map " + name_);
  return Napi::Boolean::New(info.Env(), error == 0);
}

Napi::Value BpfMap::Update(const Napi::CallbackInfo& info) {
  const Bytes key = Keys(info, 0);
  const Bytes value = Values(info, 1);
  const int error = -bpf_map_update_elem(fd_.get(), key.data, value.data, BPF_ANY);
  if (error != 0)
    Fail(info.Env(), "bpf(BPF_MAP_UPDATE_ELEM)", error, "write the BPF map " + name_,
         error == E2BIG ? "the map is full (" + std::to_string(max_entries_) + " entries)" : "");
  return info.Env().Undefined();
}

Napi::Value BpfMap::Delete(const Napi::CallbackInfo& info) {
  const Bytes key = Keys(info, 0);
  const int error = -bpf_map_delete_elem(fd_.get(), key.data);
  if (error != 0 && error != ENOENT) Fail(info.Env(), "bpf(BPF_MAP_DELETE_ELEM)", error, "delete from the BPF map " + name_);
  return Napi::Boolean::New(info.Env(), error == 0);
}

// nextKey(previous|null, into) -> whether there is one.
Napi::Value BpfMap::NextKey(const Napi::CallbackInfo& info) {
  const bool first = info.Length() > 0 && info[0].IsNull();
  const uint8_t* previous = first ? nullptr : Keys(info, 0).data;
  const Bytes into = Keys(info, 1);
  const int error = -bpf_map_get_next_key(fd_.get(), previous, into.data);
  if (error != 0 && error != ENOENT) Fail(info.Env(), "bpf(BPF_MAP_GET_NEXT_KEY)", error, "list the BPF map " + name_);
  return Napi::Boolean::New(info.Env(), error == 0);
}

Napi::Value BpfMap::UpdateBatch(const Napi::CallbackInfo& info) {
  uint32_t count = Uint32Argument(info, 2, "count");
  const Bytes keys = Keys(info, 0, count);
  const Bytes values = Values(info, 1, count);
  if (count == 0) return info.Env().Undefined();
  const int error = -bpf_map_update_batch(fd_.get(), keys.data, values.data, &count, nullptr);
  if (error != 0)
    Fail(info.Env(), "bpf(BPF_MAP_UPDATE_BATCH)", error, "write the BPF map " + name_,
         error == E2BIG ? "the map is full (" + std::to_string(max_entries_) + " entries)" : "");
  return info.Env().Undefined();
}

// lookupBatch(cursor, first, keys, values, count) -> [entries read, whether there is more]
Napi::Value BpfMap::LookupBatch(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  // The kernel keeps its place in the cursor: a key for arrays, a 4-byte bucket number for hashes.
  const Bytes cursor = BytesArgument(info, 0, "cursor", key_size_ > 4 ? key_size_ : 4);
  const bool first = info.Length() > 1 && info[1].ToBoolean();
  uint32_t count = Uint32Argument(info, 4, "count");
  const Bytes keys = Keys(info, 2, count);
  const Bytes values = Values(info, 3, count);
  const int error =
      -bpf_map_lookup_batch(fd_.get(), first ? nullptr : cursor.data, cursor.data, keys.data, values.data, &count, nullptr);
  if (error != 0 && error != ENOENT)
    Fail(env, "bpf(BPF_MAP_LOOKUP_BATCH)", error, "read the BPF map " + name_,
         error == ENOSPC ? "one bucket holds more entries than the batch: use a larger one" : "");
  Napi::Array result = Napi::Array::New(env, 2);
  result.Set(0u, Napi::Number::New(env, count));
  result.Set(1u, Napi::Boolean::New(env, error == 0));
  return result;
}

// Deletes those that exist; missing keys are fine.
Napi::Value BpfMap::DeleteBatch(const Napi::CallbackInfo& info) {
  const uint32_t count = Uint32Argument(info, 1, "count");
  const Bytes keys = Keys(info, 0, count);
  for (uint32_t done = 0; done < count;) {
    uint32_t chunk = count - done;
    const int error = -bpf_map_delete_batch(fd_.get(), keys.data + static_cast<size_t>(done) * key_size_, &chunk, nullptr);
    if (error != 0 && error != ENOENT)
      Fail(info.Env(), "bpf(BPF_MAP_DELETE_BATCH)", error, "delete from the BPF map " + name_);
    // The kernel stops at a missing key: go on behind it.
    done += error == 0 ? chunk : chunk + 1;
  }
  return info.Env().Undefined();
}

Napi::Value BpfMap::Map(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  RequireOpen(env);
  if (type_ != BPF_MAP_TYPE_ARRAY || (flags_ & BPF_F_MMAPABLE) == 0)
    BadArgument(env, "the BPF map " + name_ + " cannot be mapped into memory");
  const size_t length = RoundUp(RoundUp(value_size_, 8) * max_entries_, static_cast<size_t>(getpagesize()));
  if (memory_ == nullptr) memory_ = Mapping::OfFile(fd_.get(), length, 0, 0);
  if (memory_ == nullptr) Fail(env, "mmap", errno, "map " + std::to_string(length) + " bytes of the BPF map " + name_);
  return Expose(env, memory_);
}

// mapRing() -> [the consumer's page, the producer's page and behind it the data twice, so that no record is broken].
Napi::Value BpfMap::MapRing(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  RequireOpen(env);
  if (type_ != BPF_MAP_TYPE_RINGBUF) BadArgument(env, "the BPF map " + name_ + " is no ring buffer");
  const size_t page = static_cast<size_t>(getpagesize());
  const size_t length = page + 2 * static_cast<size_t>(max_entries_);
  if (consumer_ == nullptr) consumer_ = Mapping::OfFile(fd_.get(), page, 0, 0);
  if (consumer_ != nullptr && memory_ == nullptr) memory_ = Mapping::OfFile(fd_.get(), length, page, 0, false);
  if (memory_ == nullptr) Fail(env, "mmap", errno, "map the ring buffer " + name_);
  Napi::Array result = Napi::Array::New(env, 2);
  result.Set(0u, Expose(env, consumer_));
  result.Set(1u, Expose(env, memory_));
  return result;
}

Napi::Value BpfMap::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

namespace {

// createArray(name, valueSize, maxEntries, flags) -> descriptor
Napi::Value CreateArray(const Napi::CallbackInfo& info) {
  const std::string name = StringArgument(info, 0, "name");
  const uint32_t value_size = Uint32Argument(info, 1, "valueSize");
  const uint32_t max_entries = Uint32Argument(info, 2, "maxEntries");
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = Uint32Argument(info, 3, "flags");
  const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name.c_str(), sizeof(uint32_t), value_size, max_entries, &options);
  if (fd < 0) Fail(info.Env(), "bpf(BPF_MAP_CREATE)", -fd, "make a BPF map " + name + " of " + std::to_string(max_entries) + " entries");
  return Napi::Number::New(info.Env(), fd);
}

// pinMap(fd, path)
Napi::Value PinMap(const Napi::CallbackInfo& info) {
  const int fd = FdArgument(info, 0, "fd");
  const std::string path = StringArgument(info, 1, "path");
  const int error = -bpf_obj_pin(fd, path.c_str());
  if (error != 0) Fail(info.Env(), "bpf(BPF_OBJ_PIN)", error, "pin a BPF map at " + path);
  return info.Env().Undefined();
}

}  // namespace

void DefineMaps(Napi::Env env, Napi::Object exports) {
  exports.Set("BpfMap", BpfMap::Define(env));
  exports.Set("createArray", Napi::Function::New<CreateArray>(env));
  exports.Set("pinMap", Napi::Function::New<PinMap>(env));
}

}  // namespace sluice
