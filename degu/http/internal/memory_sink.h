// MemorySink: a response that goes nowhere but into a string.
#pragma once

#include <degu/http/internal/exchange_state.h>

#include <string>
#include <utility>

namespace degu::http::internal {

/// For calls without a socket: streamed pieces are collected.
class MemorySink : public ResponseSink {
 public:
  explicit MemorySink(std::string peer = {}) : peer_(std::move(peer)) {}
  void start_stream(Exchange::State&) override {}
  void write_piece(Exchange::State&, std::string_view piece) override { text_.append(piece); }
  std::string peer() const override { return peer_; }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string peer_;
  std::string text_;
};

}  // namespace degu::http::internal
