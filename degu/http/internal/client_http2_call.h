// ClientHttp2Call: one request and its answer on a stream of HTTP/2.
#pragma once

#include <degu/http/internal/body_reader.h>
#include <degu/http/internal/client_http2_pool.h>
#include <degu/http/internal/client_limits.h>
#include <degu/http/internal/client_request.h>
#include <degu/http/internal/response_parser.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace degu::http::internal {

/// run() once, then read(). What is not read to its end is reset, as is a request that is not over; other streams do not
/// notice.
class ClientHttp2Call final : public BodyReader {
 public:
  ClientHttp2Call(ClientHttp2Pool::Slot slot, const CallLimits& limits)
      : slot_(std::move(slot)), limits_(limits) {}
  ~ClientHttp2Call() override { finish(); }

  /// Sends the request and waits for the head of its answer. Throws NotAnswered, and Error as Client does.
  ResponseHead run(ClientRequest& request, HeaderList fields);

  bool read(std::string& piece) override;
  HeaderList take_trailers() override { return std::move(trailers_); }

 private:
  class Upload;

  void upload(ClientRequest& request);
  void wait_until_sent();
  bool begin_body(std::string_view method, const ResponseHead& head);
  void finish() noexcept;
  ClientHttp2& connection() const noexcept { return slot_.connection(); }

  ClientHttp2Pool::Slot slot_;
  CallLimits limits_;
  std::shared_ptr<ClientHttp2Stream> stream_;  // null: there is none, or it is over
  uint64_t body_bytes_ = 0;
  HeaderList trailers_;
};

}  // namespace degu::http::internal
