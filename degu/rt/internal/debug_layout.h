// DebugLayout: tables for debuggers (debug_layout.cc).
#pragma once

#include <cstdint>

extern "C" {

/// Where all goroutine records are: `count` chunks of `chunk_size` records each. Written by g_pool.cc.
struct DeguGoroutineChunks {
  void* const* chunks;
  uint64_t count;
  uint64_t chunk_size;
};
extern DeguGoroutineChunks degu_rt_goroutine_chunks;

/// Offsets in the goroutine record.
extern const uint64_t degu_rt_layout[];
}
