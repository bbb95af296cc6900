// WebSocketCore: what is behind a WebSocket, at either end of a connection.
#pragma once

#include <degu/context/after_func.h>
#include <degu/context/context.h>
#include <degu/http/internal/glitch_budget.h>
#include <degu/http/internal/utf8.h>
#include <degu/http/internal/websocket_deflate.h>
#include <degu/http/internal/websocket_frame.h>
#include <degu/http/websocket.h>
#include <degu/net/tcp.h>
#include <degu/sync/func_timer.h>
#include <degu/sync/mutex.h>
#include <degu/sync/wait_group.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

enum class WebSocketSide : bool { kServer, kClient };

struct WebSocketSetup {
  WebSocketSide side = WebSocketSide::kServer;
  WebSocketLimits limits;
  std::optional<DeflateAgreement> deflate;
  std::string subprotocol;
  std::string input;  ///< what has come behind the handshake
};

class WebSocketCore {
 public:
  /// `stream` outlives this.
  WebSocketCore(net::TcpStream& stream, WebSocketSetup setup);
  WebSocketCore(net::TcpStream&& stream, WebSocketSetup setup);
  ~WebSocketCore();
  WebSocketCore(const WebSocketCore&) = delete;
  WebSocketCore& operator=(const WebSocketCore&) = delete;

  /// Starts to ping, and to say 1001 when `draining` ends. In the context of its user.
  void start(const Context& draining);
  /// Ends what start() has begun. Nobody else may be writing any more.
  void stop() noexcept;

  std::optional<Message> recv();
  void send(bool text, std::string_view data);
  void ping(std::string_view payload);
  void close(int code, std::string_view reason);
  /// Says goodbye without waiting for long, whatever the context says.
  void close_now(int code) noexcept;
  /// Reads what still comes until the other end has closed too.
  void finish();

  int close_code() const noexcept { return close_code_; }
  const std::string& close_reason() const noexcept { return close_reason_; }
  const std::string& subprotocol() const noexcept { return subprotocol_; }

 private:
  /// Shared with what the timer and a drain start.
  struct Keeper {
    Context context;
    WaitGroup armed;                // what may run still, or runs
    Mutex lock;                     // guards the rest
    WebSocketCore* core = nullptr;  // null: it stops
  };
  enum class Sent : uint8_t { kYes, kClosed, kLost };

  void fill();
  void take_frame_head();
  void take_payload(std::string_view piece);
  void inflate(std::string_view piece, bool last);
  void check_text(std::size_t from);
  std::optional<Message> take_frame_end();
  void take_control();
  void take_close();
  void fail(int code, std::string_view reason);
  void end(int code) noexcept;
  static void keep(Keeper& keeper, void (WebSocketCore::*act)()) noexcept;
  void beat();
  void say_goodbye();

  Sent write_control(Opcode opcode, std::string_view payload);
  Sent write_close(int code, std::string_view reason);
  Sent write_out(TimePoint deadline);
  void add_frame(const FrameHead& head, std::string_view payload);
  [[noreturn]] void throw_unsent(Sent sent) const;

  net::TcpStream owned_;
  net::TcpStream& stream_;
  const WebSocketSide side_;
  const WebSocketLimits limits_;
  const std::string subprotocol_;

  // The reader's.
  FrameParser parser_;
  std::vector<char> buffer_;
  std::span<char> input_;  // of buffer_, not parsed yet
  bool text_ = false;
  bool compressed_ = false;
  std::size_t fragments_ = 0;
  std::string message_;
  std::string control_;
  Utf8Stream utf8_;
  std::optional<MessageInflater> inflater_;
  GlitchBudget glitches_;
  int close_code_ = 0;
  std::string close_reason_;

  Mutex write_lock_;  // guards what follows, and the stream's writing
  std::string out_;
  std::string packed_;
  std::optional<MessageDeflater> deflater_;
  bool close_sent_ = false;
  bool lost_ = false;

  const std::shared_ptr<Keeper> keeper_ = std::make_shared<Keeper>();
  AfterFunc at_drain_;
  CancelFunc stop_keeper_;
  FuncTimer pinger_;
};

}  // namespace degu::http::internal
