#include <degu/rt/block_pool.h>
#include <degu/rt/internal/switch.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace degu::rt {
namespace {

TEST(BlockPool, GivesAlignedBlocksThatDoNotOverlap) {
  for (std::size_t bytes = 1; bytes <= BlockPool::kLargest + 1; ++bytes) {
    std::vector<unsigned char*> blocks;
    for (unsigned i = 0; i < 100; ++i) {
      blocks.push_back(static_cast<unsigned char*>(BlockPool::allocate(bytes)));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(blocks.back()) % BlockPool::kStep, 0U);
      std::memset(blocks.back(), static_cast<int>(i), bytes);
    }
    for (unsigned i = 0; i < 100; ++i) {
      for (std::size_t at = 0; at < bytes; ++at) ASSERT_EQ(blocks[i][at], i);
      BlockPool::release(blocks[i], bytes);
    }
  }
}

#ifndef DEGU_ASAN  // where every block is the general allocator's
TEST(BlockPool, UsesWhatWasReleasedOnAnyThread) {
  constexpr std::size_t kBlocks = 10'000;
  constexpr std::size_t kBytes = 80;
  std::set<void*> first;
  for (std::size_t i = 0; i < kBlocks; ++i) first.insert(BlockPool::allocate(kBytes));
  std::thread([&] {
    for (void* block : first) BlockPool::release(block, kBytes);
  }).join();
  std::size_t again = 0;
  std::vector<void*> second;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    second.push_back(BlockPool::allocate(kBytes));
    again += first.count(second.back());
  }
  EXPECT_GE(again, kBlocks - 2 * BlockPool::kBundle);  // this thread may have had some
  for (void* block : second) BlockPool::release(block, kBytes);
}
#endif

// Each block has one owner at a time, whoever allocated it.
TEST(BlockPool, ThreadsPassBlocksOn) {
  std::vector<std::thread> threads;
  std::vector<std::vector<std::pair<uint64_t*, uint64_t>>> passed(4);
  for (std::size_t t = 0; t < passed.size(); ++t) {
    threads.emplace_back([t, &mine = passed[t]] {
      for (uint64_t i = 0; i < 20'000; ++i) {
        auto* word = static_cast<uint64_t*>(BlockPool::allocate(sizeof(uint64_t)));
        *word = i * 8 + t;
        mine.emplace_back(word, *word);
        if (i % 3 == 0) continue;
        const auto [last, value] = mine[i % 7 * mine.size() / 7];
        ASSERT_EQ(*last, value);
        std::swap(mine[i % 7 * mine.size() / 7], mine.back());
        mine.pop_back();
        BlockPool::release(last, sizeof(uint64_t));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : passed) {
    for (const auto& [word, value] : mine) {
      EXPECT_EQ(*word, value);
      BlockPool::release(word, sizeof(uint64_t));
    }
  }
}

}  // namespace
}  // namespace degu::rt
