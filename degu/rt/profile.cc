#include <degu/rt/dump.h>
#include <degu/rt/internal/heap_hook.h>
#include <degu/rt/profile.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <tuple>

namespace degu::rt {
namespace {

std::atomic<Profile (*)()> heap_source{nullptr};

using Key = std::pair<std::vector<uintptr_t>, std::string>;

}  // namespace

Profile difference(Profile later, const Profile& earlier) {
  std::map<Key, const ProfileSample*> before;
  for (const ProfileSample& sample : earlier.samples) before[{sample.stack, sample.goroutine}] = &sample;
  for (ProfileSample& sample : later.samples) {
    const auto it = before.find({sample.stack, sample.goroutine});
    if (it == before.end()) continue;
    for (std::size_t i = 0; i < sample.values.size(); ++i) sample.values[i] -= it->second->values[i];
  }
  std::erase_if(later.samples, [](const ProfileSample& sample) {
    return std::all_of(sample.values.begin(), sample.values.end(), [](int64_t value) { return value == 0; });
  });
  later.duration = later.time - earlier.time;
  return later;
}

Profile goroutine_profile() {
  Profile profile;
  profile.types = {{"goroutine", "count"}};
  profile.period_type = {"goroutine", "count"};
  profile.period = 1;
  std::map<Key, int64_t> counts;
  for (GoroutineInfo& info : goroutines()) ++counts[{std::move(info.stack), std::move(info.name)}];
  for (auto& [key, count] : counts) profile.samples.push_back({key.first, {count}, key.second});
  return profile;
}

void set_heap_source(Profile (*source)()) noexcept { heap_source.store(source, std::memory_order_release); }

bool has_heap_profile() noexcept { return heap_source.load(std::memory_order_acquire) != nullptr; }

Profile heap_profile() {
  if (const auto source = heap_source.load(std::memory_order_acquire); source != nullptr) return source();
  Profile profile;
  profile.types = {{"alloc_objects", "count"},
                   {"alloc_space", "bytes"},
                   {"inuse_objects", "count"},
                   {"inuse_space", "bytes"}};
  profile.period_type = {"space", "bytes"};
  return profile;
}

}  // namespace degu::rt
