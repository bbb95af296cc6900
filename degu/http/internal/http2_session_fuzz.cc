// A client of HTTP/2 that says anything: bytes behind the preface, or frames that are mostly right and go further. It talks to
// a real session with a small router through memory.
//
// Properties: nothing crashes or hangs; the session ends when its client has; what it sends are whole frames of known types,
// SETTINGS first, none larger than 16 KiB; it answers only streams on which HEADERS have come, each by at most one final head
// with a status, in HPACK that can be read, then DATA, then perhaps trailers, and nothing behind the end; no more handlers run
// than requests have come.
#include <degu/base/assert.h>
#include <degu/context/context.h>
#include <degu/http/internal/connection.h>
#include <degu/http/internal/http2_session.h>
#include <degu/http/internal/refusals.h>
#include <degu/http/internal/route_table.h>
#include <degu/http/router.h>
#include <degu/http/server.h>
#include <degu/net/pipe.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace degu::http::internal {
namespace {

enum Type : uint8_t {
  kData,
  kHeaders,
  kPriority,
  kReset,
  kSettings,
  kPush,
  kPing,
  kGoaway,
  kWindow,
  kContinuation
};
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes; i-- > 0;) out += static_cast<char>(value >> (8 * i));
}

void put_frame(std::string& out, uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  put(out, payload.size(), 3);
  put(out, type, 1);
  put(out, flags, 1);
  put(out, stream, 4);
  out.append(payload);
}

void put_field(std::string& out, std::string_view name, std::string_view value) {
  out += '\0';
  put(out, name.size(), 1);
  out.append(name);
  put(out, value.size(), 1);
  out.append(value);
}

// Frames by the bytes of an input: each says what comes next, and some of those behind it how.
class Script {
 public:
  explicit Script(std::string_view input) : input_(input) {}

  std::string frames() {
    std::string out;
    put_frame(out, kSettings, 0, 0, {});
    while (!input_.empty()) add(out);
    return out;
  }

 private:
  uint8_t byte() {
    if (input_.empty()) return 0;
    const auto value = static_cast<uint8_t>(input_.front());
    input_.remove_prefix(1);
    return value;
  }
  std::string_view bytes(std::size_t count) {
    const std::string_view taken = input_.substr(0, count);
    input_.remove_prefix(taken.size());
    return taken;
  }
  // One that was opened lately, or the next.
  uint32_t stream() {
    const uint32_t back = 2U * (byte() % 8);
    return next_ + 2 > back ? next_ + 2 - back : 1;
  }

  void add(std::string& out) {
    const uint8_t what = byte();
    const uint8_t flags = what >> 4 & (kEndStream | kEndHeaders | 8);
    switch (what % 12) {
      case 0:
      case 1:
      case 2:
        return add_request(out, byte());
      case 3:
      case 4:
        return put_frame(out, kData, flags, stream(), bytes(byte()));
      case 5:
        return put_frame(out, kData, kEndStream, stream(), std::string(64 * byte(), 'd'));
      case 6:
        return put_frame(out, kWindow, 0, (what & 16) != 0 ? 0 : stream(), bytes(4));
      case 7:
        return put_frame(out, kReset, 0, stream(), bytes(4));
      case 8:
        return put_frame(out, kSettings, flags & 1, 0, bytes(6 * (byte() % 4)));
      case 9:
        return put_frame(out, kHeaders, flags | kEndHeaders, stream(), bytes(byte()));
      case 10:
        return put_frame(out, kContinuation, flags, stream(), bytes(byte()));
      default:
        return put_frame(out, byte(), byte(), stream(), bytes(byte()));
    }
  }

  void add_request(std::string& out, uint8_t how) {
    constexpr std::string_view kPaths[] = {"/ping",   "/stream", "/echo", "/read",
                                           "/broken", "/large",  "/none", "*"};
    constexpr std::string_view kMethods[] = {"GET", "POST", "HEAD", "OPTIONS"};
    std::string block;
    put_field(block, ":method", kMethods[how >> 3 & 3]);
    put_field(block, ":scheme", "http");
    put_field(block, ":path", kPaths[how & 7]);
    put_field(block, ":authority", "a");
    if ((how & 32) != 0) put_field(block, "content-length", std::to_string(byte()));
    if ((how & 64) != 0) block += bytes(byte() % 32);
    put_frame(out, kHeaders, static_cast<uint8_t>(kEndHeaders | (how >> 7)), next_, block);
    next_ += 2;
  }

  std::string_view input_;
  uint32_t next_ = 1;
};

Router make_router(std::atomic<uint64_t>& handled) {
  Router router;
  router.use([&](Exchange& c) {
    handled.fetch_add(1);
    c.next();
  });
  router.get("/ping", [](Exchange& c) { c.text(200, "pong"); });
  router.get("/large", [](Exchange& c) { c.raw(200, "text/plain", std::string(100'000, 'x')); });
  router.post("/echo", [](Exchange& c) { c.raw(200, "text/plain", std::string(c.body())); });
  router.get("/stream", [](Exchange& c) {
    ResponseStream& stream = c.stream(200, "text/plain");
    for (int i = 0; i < 3; ++i) stream.write("piece");
    stream.add_trailer("x-sum", "1");
  });
  router.get("/broken", [](Exchange& c) {
    c.stream(200, "text/plain").write("half");
    throw Error(Code::kUnavailable, "lost");
  });
  router.post("/read",
              [](Exchange& c) {
                std::array<char, 100> piece;
                std::size_t total = 0;
                while (const std::size_t got = c.body_stream().read(piece)) total += got;
                c.text(200, std::to_string(total));
              },
              {.stream_body = true});
  return router;
}

// The answers, as far as they have come.
class Answers {
 public:
  explicit Answers(std::string_view input) : asked_(streams_of(input)) { nghttp2_hd_inflate_new(&inflater_); }
  ~Answers() { nghttp2_hd_inflate_del(inflater_); }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  void check(std::string_view output) {
    bool first = true;
    while (!output.empty()) {
      DEGU_CHECK(output.size() >= 9, "half a frame head");
      const std::size_t size = number(output, 0, 3);
      const auto type = static_cast<uint8_t>(output[3]);
      const auto flags = static_cast<uint8_t>(output[4]);
      DEGU_CHECK(size <= 16'384 && output.size() >= 9 + size, "half a frame, or a large one: {}", size);
      DEGU_CHECK(!first || (type == kSettings && flags == 0), "the first frame is {}", type);
      first = false;
      take(type, flags, static_cast<uint32_t>(number(output, 5, 4)), output.substr(9, size));
      output.remove_prefix(9 + size);
    }
  }
  std::size_t heads() const { return heads_; }

 private:
  struct Stream {
    bool head = false;
    bool over = false;
  };

  static std::size_t number(std::string_view text, std::size_t at, std::size_t bytes) {
    std::size_t value = 0;
    for (std::size_t i = at; i < at + bytes; ++i) value = value * 256 + static_cast<unsigned char>(text[i]);
    return value;
  }

  static std::set<uint32_t> streams_of(std::string_view input) {
    std::set<uint32_t> streams;
    while (input.size() >= 9) {
      const std::size_t size = number(input, 0, 3);
      if (input[3] == kHeaders) streams.insert(static_cast<uint32_t>(number(input, 5, 4)) & 0x7fffffff);
      input.remove_prefix(std::min(input.size(), 9 + size));
    }
    return streams;
  }

  void take(uint8_t type, uint8_t flags, uint32_t id, std::string_view payload) {
    const bool ends = (flags & kEndStream) != 0;
    switch (type) {
      case kHeaders:
      case kData: {
        DEGU_CHECK(asked_.contains(id), "an answer on stream {}, where nothing was asked", id);
        Stream& stream = streams_[id];
        DEGU_CHECK(!stream.over, "stream {} goes on behind its end", id);
        if (type == kHeaders) {
          DEGU_CHECK((flags & kEndHeaders) != 0);
          take_head(stream, ends, payload);
        } else {
          DEGU_CHECK(stream.head, "DATA before the head of stream {}", id);
        }
        stream.over = ends;
        return;
      }
      case kReset:
        DEGU_CHECK(id != 0 && payload.size() == 4);
        streams_[id].over = true;
        return;
      case kSettings:
      case kPing:
      case kGoaway:
        DEGU_CHECK(id == 0);
        return;
      case kWindow:
        DEGU_CHECK(payload.size() == 4 && number(payload, 0, 4) != 0);
        return;
      default:
        DEGU_CHECK(false, "a frame of type {}", type);
    }
  }

  void take_head(Stream& stream, bool ends, std::string_view block) {
    std::string status;
    int flags = 0;
    do {
      nghttp2_nv field;
      flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(
          inflater_, &field, &flags, reinterpret_cast<const uint8_t*>(block.data()), block.size(), 1);
      DEGU_CHECK(used >= 0, "a block that is no HPACK");
      block.remove_prefix(static_cast<std::size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) continue;
      const std::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
      if (name == ":status") status.assign(reinterpret_cast<const char*>(field.value), field.valuelen);
      DEGU_CHECK(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }));
    } while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0);
    nghttp2_hd_inflate_end_headers(inflater_);
    if (stream.head) {
      DEGU_CHECK(status.empty() && ends, "a second head: {}", status);
      return;
    }
    DEGU_CHECK(status.size() == 3 && status >= "100" && status <= "599", "status {}", status);
    DEGU_CHECK(status[0] != '1' || !ends, "an interim head that ends the stream");
    stream.head = status[0] != '1';
    heads_ += stream.head ? 1 : 0;
  }

  const std::set<uint32_t> asked_;
  std::map<uint32_t, Stream> streams_;
  nghttp2_hd_inflater* inflater_ = nullptr;
  std::size_t heads_ = 0;
};

// `input` in pieces of `step` bytes.
void check(std::string_view input, std::size_t step) {
  std::atomic<uint64_t> handled{0};
  const Router router = make_router(handled);
  const ServerOptions options;
  const std::atomic<bool> draining{false};
  const std::atomic<bool> closing{false};
  const auto drain = with_cancel(Context());
  Refusals refusals{nullptr};
  const ConnectionEnv env{*router.table(), options, draining, closing, drain.context, refusals};
  auto [client, end] = net::pipe();
  Connection connection(
      net::TcpStream(std::move(end).take_socket()), with_cancel(current_context()), [](Connection&) {},
      nullptr);
  connection.resume();
  Http2Session session(env);

  WaitGroup sides;
  std::string output;
  sides.go([&] {
    const auto ended = session.serve(connection, Http2Session::kPreface);
    DEGU_CHECK(ended == Http2Session::End::kClose);
    connection.stream().close();
  });
  sides.go([&] {
    std::array<char, 4096> piece;
    for (auto got = client.read(piece); got.bytes != 0; got = client.read(piece))
      output.append(piece.data(), got.bytes);
  });
  for (std::string_view left = input; !left.empty(); left.remove_prefix(std::min(step, left.size()))) {
    const std::string_view piece = left.substr(0, step);
    if (client.write({piece.data(), piece.size()}).error != 0) break;
  }
  client.shutdown_write();
  sides.wait();

  Answers answers(input);
  answers.check(output);
  DEGU_CHECK(handled.load() <= connection.requests() && answers.heads() <= connection.requests(),
             "{} handled, {} answered, {} asked", handled.load(), answers.heads(), connection.requests());
}

}  // namespace
}  // namespace degu::http::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = data[0] < 128 ? 65'536 : 1 + (data[0] >> 1) % 32;
  const std::string input =
      (data[0] & 1) != 0 ? std::string(text) : degu::http::internal::Script(text).frames();
  degu::run({.procs = 1, .stuck_report = std::chrono::nanoseconds(0)},
            [&] { degu::http::internal::check(input, step); });
  return 0;
}
