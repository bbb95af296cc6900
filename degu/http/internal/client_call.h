// ClientCall: one request and its answer on one connection of HTTP/1.1.
#pragma once

#include <degu/http/internal/body_reader.h>
#include <degu/http/internal/chunked.h>
#include <degu/http/internal/client_limits.h>
#include <degu/http/internal/client_pool.h>
#include <degu/http/internal/client_request.h>
#include <degu/http/internal/read_buffer.h>
#include <degu/http/internal/response_parser.h>
#include <degu/net/io_result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// run() once, then read(). The connection goes back to the pool when the body was read to its end, and is closed in
/// every other case.
class ClientCall final : public BodyReader {
 public:
  ClientCall(ClientPool::Lease lease, const CallLimits& limits) : lease_(std::move(lease)), limits_(limits) {}

  /// Sends the request and waits for the head of its answer. Throws NotAnswered, and Error as Client does.
  ResponseHead run(ClientRequest& request, const std::string& head);

  bool read(std::string& piece) override;
  HeaderList take_trailers() override { return std::move(trailers_); }

 private:
  class Upload;
  enum class Framing : uint8_t { kEnded, kSized, kChunked, kUntilClose };

  void send_at_once(const ClientRequest& request, const std::string& head);
  ResponseHead upload(ClientRequest& request, const std::string& head);
  ResponseHead read_final_head(TimePoint deadline, Upload* upload);
  ResponseHead read_head(TimePoint deadline);
  void begin_body(std::string_view method, const ResponseHead& head);
  std::size_t fill(std::string& piece, std::size_t most);
  bool read_sized(std::string& piece);
  bool read_chunked(std::string& piece);
  bool read_until_close(std::string& piece);
  void end_body();
  void check(net::IoResult result);
  [[noreturn]] void fail_broken(const std::string& why);
  net::TcpStream& stream() noexcept { return lease_.stream(); }

  ClientPool::Lease lease_;
  CallLimits limits_;
  ReadBuffer buffer_;
  bool sent_any_ = false;
  bool sent_all_ = true;
  bool answered_ = false;  // at least a byte came
  bool keep_alive_ = false;
  Framing framing_ = Framing::kEnded;
  uint64_t left_ = 0;  // of a sized body
  uint64_t body_bytes_ = 0;
  ChunkedDecoder chunks_{0};
  HeaderList trailers_;
};

}  // namespace degu::http::internal
