#include <degu/context/context.h>
#include <degu/http/internal/connection.h>
#include <degu/http/internal/http2_session.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/http/testing/frame_client.h>
#include <degu/net/pipe.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace degu::http::internal {
namespace {

using degu::testing::FrameClient;

// A session whose client is the test. The pipe has no buffer: what the session writes waits until the test reads.
class Dialogue {
 public:
  explicit Dialogue(const Router& router)
      : env_{*router.table(), options_, draining_, closing_, drain_.context, refusals_}, ends_(net::pipe()) {
    serving_.go([this] {
      Connection connection(
          net::TcpStream(std::move(ends_.second).take_socket()), with_cancel(current_context()),
          [](Connection&) {}, nullptr);
      connection.resume();
      Http2Session session(env_);
      EXPECT_EQ(session.serve(connection, Http2Session::kPreface), Http2Session::End::kClose);
      connection.stream().close();
    });
  }

  void say(std::string_view bytes) { EXPECT_EQ(ends_.first.write({bytes.data(), bytes.size()}).error, 0); }
  void hang_up() { ends_.first.shutdown_write(); }
  /// All that the session says until it ends: the type of each frame, and its stream.
  std::string listen() {
    std::string bytes;
    std::array<char, 4096> piece;
    for (auto got = ends_.first.read(piece); got.bytes != 0; got = ends_.first.read(piece))
      bytes.append(piece.data(), got.bytes);
    serving_.wait();
    std::string out;
    for (std::string_view left = bytes; left.size() >= 9;) {
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>(left[i]); };
      out += std::to_string(at(3)) + ":" + std::to_string(at(8)) + " ";
      left.remove_prefix(std::min<std::size_t>(left.size(), 9U + at(0) * 65536U + at(1) * 256U + at(2)));
    }
    return out;
  }

 private:
  const ServerOptions options_;
  const std::atomic<bool> draining_{false};
  const std::atomic<bool> closing_{false};
  const ContextAnd<CancelFunc> drain_ = with_cancel(Context());
  Refusals refusals_{nullptr};
  const ConnectionEnv env_;
  std::pair<net::Stream, net::Stream> ends_;
  WaitGroup serving_;
};

// A client goes while a head is still to be sent whose handler has ended: the stream is let go of once, when it was sent.
TEST(Http2Session, AHandlerEndsWithItsConnection) {
  all_shapes([] {
    Chan<int> begun = make_chan<int>(2);
    Chan<int> gone = make_chan<int>(1);
    Router router;
    router.get("/begun", [&](Exchange& c) {
      c.stream(200, "text/plain").write("some");
      begun.send(1);
    });
    router.get("/wait", [&](Exchange&) {
      begun.send(1);
      try {
        sleep(std::chrono::hours(1));
      } catch (const Error&) {
        gone.send(1);
      }
    });
    Dialogue dialogue(router);
    const auto ask = [&](uint32_t id, std::string_view method, std::string_view path) {
      dialogue.say(FrameClient::frame(FrameClient::kHeaders,
                                      FrameClient::kEndHeaders | FrameClient::kEndStream, id,
                                      FrameClient::block(FrameClient::request(method, path))));
      begun.recv();
    };
    dialogue.say(FrameClient::frame(FrameClient::kSettings, 0, 0, {}));
    ask(1, "HEAD", "/begun");
    ask(3, "GET", "/wait");
    dialogue.hang_up();
    gone.recv();  // the session knows
    const std::string heard = dialogue.listen();
    EXPECT_NE(heard.find("4:0 "), std::string::npos) << heard;  // SETTINGS
    EXPECT_EQ(heard.find("1:3 "), std::string::npos) << heard;  // no head for who was not answered
  });
}

}  // namespace
}  // namespace degu::http::internal
