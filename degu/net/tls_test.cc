#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/pipe.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace degu::net {
namespace {

using namespace std::chrono_literals;
using degu::testing::TestAuthority;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TestAuthority& authority() {
  static auto* made = new TestAuthority;
  return *made;
}

TlsKeyPair site() {
  static const TlsKeyPair pair =
      authority().issue("site", "site", "DNS:site.test,DNS:*.wild.test,IP:127.0.0.1");
  return pair;
}

TlsServerOptions server_options() {
  TlsServerOptions options;
  options.certificates = {site()};
  return options;
}

TlsClientOptions client_options() {
  TlsClientOptions options;
  options.ca_file = authority().ca_file();
  return options;
}

struct Pair {
  TcpStream client;
  TcpStream server;
};

Pair plain_pair() {
  TcpListener listener = TcpListener::listen("127.0.0.1:0");
  Pair pair;
  pair.client = TcpStream::connect(listener.address());
  pair.server = listener.accept();
  return pair;
}

Pair wrapped(const TlsServer& server, const TlsClient& client, std::string_view name = "site.test") {
  Pair pair = plain_pair();
  pair.client = client.wrap(std::move(pair.client), name);
  pair.server = server.wrap(std::move(pair.server));
  return pair;
}

// What went wrong at each end.
struct Outcome {
  std::string client;
  std::string server;
};

Outcome shake(Pair& pair) {
  Outcome outcome;
  const auto attempt = [](TcpStream& stream, std::string& what) {
    try {
      tls_handshake(stream, now() + 10s);
    } catch (const Error& error) {
      what = error.what();
    }
  };
  WaitGroup both;
  both.go([&] { attempt(pair.client, outcome.client); });
  both.go([&] { attempt(pair.server, outcome.server); });
  both.wait();
  return outcome;
}

std::string read_exactly(TcpStream& stream, std::size_t size) {
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const IoResult got = stream.read({text.data() + have, size - have}, now() + 10s);
    if (got.bytes == 0) break;
    have += got.bytes;
  }
  text.resize(have);
  return text;
}

TEST(Tls, CarriesBytesBothWaysAtOnceInEveryShape) {
  const TlsServerOptions options = server_options();
  all_shapes([&] {
    const TlsServer server(options);
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client);
    std::string sent(300'000, '\0');
    std::iota(sent.begin(), sent.end(), '\0');
    WaitGroup work;
    for (TcpStream* stream : {&pair.client, &pair.server}) {
      work.go([&, stream] { EXPECT_EQ(stream->write(sent).bytes, sent.size()); });
      work.go([&, stream] { EXPECT_EQ(read_exactly(*stream, sent.size()), sent); });
    }
    work.wait();
    const std::optional<TlsInfo> info = tls_info(pair.client);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->version, "TLSv1.3");
    EXPECT_EQ(info->server_name, "site.test");
    EXPECT_EQ(info->peer_subject, "CN=site");
    EXPECT_THAT(info->peer_names, ElementsAre("site.test", "*.wild.test"));
    ASSERT_TRUE(tls_info(pair.server));
    EXPECT_EQ(tls_info(pair.server)->peer_subject, "");
  });
}

// Without a buffer below, somebody has to read all the time: the server's tickets may come while the client writes.
TEST(Tls, WorksOverAPipeInMemory) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    auto [one, other] = pipe();
    Pair pair{client.wrap(TcpStream(std::move(one).take_socket()), "site.test"),
              server.wrap(TcpStream(std::move(other).take_socket()))};
    WaitGroup work;
    work.go([&] {
      EXPECT_EQ(read_exactly(pair.server, 4), "ping");
      EXPECT_EQ(pair.server.write("pong").error, 0);
    });
    work.go([&] { EXPECT_EQ(read_exactly(pair.client, 4), "pong"); });
    EXPECT_EQ(pair.client.write("ping").error, 0);
    work.wait();
  });
}

TEST(Tls, PartsArriveInOrderWhateverTheirSizes) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client);
    std::string head = "head", empty, body(40'000, 'b'), tail = "tail";
    const std::array<iovec, 4> parts{{{head.data(), head.size()},
                                      {empty.data(), 0},
                                      {body.data(), body.size()},
                                      {tail.data(), tail.size()}}};
    WaitGroup work;
    work.go([&] { EXPECT_EQ(read_exactly(pair.server, 40'008 + 8), head + body + tail + head + tail); });
    EXPECT_EQ(pair.client.writev(parts).bytes, 40'008U);
    const std::array<iovec, 2> small{parts[0], parts[3]};
    EXPECT_EQ(pair.client.writev(small).bytes, 8U);
    work.wait();
  });
}

TEST(Tls, TellsAnEndFromACut) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    std::array<char, 8> into;
    {
      Pair pair = wrapped(server, client);
      ASSERT_EQ(shake(pair).client, "");
      pair.server.shutdown_write();
      const IoResult end = pair.client.read(into, now() + 10s);
      EXPECT_EQ(end.bytes, 0U);
      EXPECT_EQ(end.error, 0);
      // The other direction is still open.
      EXPECT_EQ(pair.client.write("more").error, 0);
      EXPECT_EQ(read_exactly(pair.server, 4), "more");
    }
    {
      Pair pair = wrapped(server, client);
      ASSERT_EQ(shake(pair).client, "");
      pair.server.close();
      EXPECT_EQ(pair.client.read(into, now() + 10s).error, 0);
    }
    Pair plain = plain_pair();
    const int raw = plain.server.fd();
    Pair pair{client.wrap(std::move(plain.client), "site.test"), server.wrap(std::move(plain.server))};
    ASSERT_EQ(shake(pair).client, "");
    ::shutdown(raw, SHUT_WR);
    EXPECT_EQ(pair.client.read(into, now() + 10s).error, ECONNABORTED);
  });
}

TEST(Tls, RefusesAServerThatIsSomebodyElse) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    for (const std::string_view name : {"site.test", "a.wild.test", "127.0.0.1"}) {
      Pair pair = wrapped(server, client, name);
      EXPECT_EQ(shake(pair).client, "") << name;
    }
    for (const std::string_view name : {"other.test", "a.b.wild.test", "wild.test", "127.0.0.2"}) {
      Pair pair = wrapped(server, client, name);
      EXPECT_THAT(shake(pair).client, HasSubstr("mismatch")) << name;
    }
    Pair bad_name = plain_pair();
    EXPECT_EQ(degu::testing::code_of([&] { client.wrap(std::move(bad_name.client), std::string(300, 'x')); }),
              Code::kInvalidArgument);
  });
}

TEST(Tls, RefusesStrangersAndExpiredCertificates) {
  run([] {
    TestAuthority stranger;
    TlsServerOptions strange;
    strange.certificates = {stranger.issue("site", "site", "DNS:site.test")};
    TlsServerOptions expired;
    expired.certificates = {authority().issue("expired", "expired", "DNS:site.test", -1)};
    const TlsClient client(client_options());
    Pair pair = wrapped(TlsServer(strange), client);
    EXPECT_THAT(shake(pair).client, HasSubstr("certificate signature failure"));
    pair = wrapped(TlsServer(expired), client);
    EXPECT_THAT(shake(pair).client, HasSubstr("expired"));
    TlsClientOptions trusting;
    trusting.verify = false;
    pair = wrapped(TlsServer(strange), TlsClient(trusting));
    EXPECT_EQ(shake(pair).client, "");
    EXPECT_EQ(tls_info(pair.client)->peer_subject, "");  // believed, not verified
  });
}

TEST(Tls, ChoosesTheCertificateByName) {
  run([] {
    TlsServerOptions options = server_options();
    options.certificates.push_back(authority().issue("second", "second", "DNS:second.test"));
    const TlsServer server(options);
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client, "second.test");
    EXPECT_EQ(shake(pair).client, "");
    EXPECT_EQ(tls_info(pair.client)->peer_subject, "CN=second");
    EXPECT_EQ(tls_info(pair.server)->server_name, "second.test");
    pair = wrapped(server, client, "127.0.0.1");  // names no one
    EXPECT_EQ(shake(pair).client, "");
    EXPECT_EQ(tls_info(pair.client)->peer_subject, "CN=site");
    pair = wrapped(server, client, "unknown.test");
    EXPECT_THAT(shake(pair).client, HasSubstr("mismatch"));
  });
}

TEST(Tls, AgreesOnAProtocolOrNone) {
  run([] {
    TlsServerOptions options = server_options();
    options.alpn = {"h2", "http/1.1"};
    const TlsServer server(options);
    const auto agreed = [&](const std::vector<std::string>& offered) -> std::string {
      TlsClientOptions asking = client_options();
      asking.alpn = offered;
      Pair pair = wrapped(server, TlsClient(asking));
      const Outcome outcome = shake(pair);
      return outcome.client.empty() ? tls_info(pair.server)->alpn : outcome.client;
    };
    EXPECT_EQ(agreed({"http/1.1", "h2"}), "h2");
    EXPECT_EQ(agreed({"http/1.1"}), "http/1.1");
    EXPECT_EQ(agreed({}), "");
    EXPECT_THAT(agreed({"spdy/3"}), HasSubstr("no application protocol"));
  });
}

TEST(Tls, AsksForVersionsThatAreAllowed) {
  run([] {
    TlsServerOptions modern = server_options();
    modern.tls12 = false;
    const TlsServer server(modern);
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client);
    EXPECT_EQ(shake(pair).client, "");
    EXPECT_EQ(tls_info(pair.client)->version, "TLSv1.3");
  });
}

TEST(Tls, KnowsItsClients) {
  run([] {
    TlsServerOptions options = server_options();
    options.client_certificates = ClientCertificates::kRequired;
    options.client_ca_file = authority().ca_file();
    const TlsServer server(options);
    TlsClientOptions known = client_options();
    known.certificate = authority().issue("client", "caller", "URI:spiffe://shop/orders");
    Pair pair = wrapped(server, TlsClient(known));
    EXPECT_EQ(shake(pair).server, "");
    EXPECT_EQ(tls_info(pair.server)->peer_subject, "CN=caller");
    EXPECT_THAT(tls_info(pair.server)->peer_names, ElementsAre("spiffe://shop/orders"));

    pair = wrapped(server, TlsClient(client_options()));
    EXPECT_THAT(shake(pair).server, HasSubstr("peer did not return a certificate"));
    TestAuthority stranger;
    TlsClientOptions strange = client_options();
    strange.certificate = stranger.issue("client", "caller", "");
    for (const ClientCertificates wanted :
         {ClientCertificates::kRequired, ClientCertificates::kVerifiedIfGiven}) {
      options.client_certificates = wanted;
      pair = wrapped(TlsServer(options), TlsClient(strange));
      EXPECT_THAT(shake(pair).server, HasSubstr("certificate signature failure"));
    }
    pair = wrapped(TlsServer(options), TlsClient(client_options()));
    EXPECT_EQ(shake(pair).server, "");
    EXPECT_EQ(tls_info(pair.server)->peer_subject, "");
  });
}

TEST(Tls, ReloadsCertificatesWithoutAStop) {
  run([] {
    const TlsKeyPair first = authority().issue("rolled", "first", "DNS:site.test");
    TlsServerOptions options;
    options.certificates = {first};
    TlsServer server(options);
    const TlsClient client(client_options());
    Pair old = wrapped(server, client);
    ASSERT_EQ(shake(old).client, "");
    EXPECT_FALSE(server.reload_if_changed());

    // Half of a change is not taken.
    const TlsKeyPair next = authority().issue("next", "second", "DNS:site.test");
    std::filesystem::copy_file(next.certificate_file, first.certificate_file,
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(degu::testing::code_of([&] { server.reload_if_changed(); }), Code::kInvalidArgument);
    Pair pair = wrapped(server, client);
    EXPECT_EQ(shake(pair).client, "");
    EXPECT_EQ(tls_info(pair.client)->peer_subject, "CN=first");

    std::filesystem::copy_file(next.key_file, first.key_file,
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_TRUE(server.reload_if_changed());
    pair = wrapped(server, client);
    EXPECT_EQ(shake(pair).client, "");
    EXPECT_EQ(tls_info(pair.client)->peer_subject, "CN=second");
    // Connections of before go on.
    EXPECT_EQ(old.client.write("ping").error, 0);
    EXPECT_EQ(read_exactly(old.server, 4), "ping");
  });
}

TEST(Tls, SaysWhichFileCannotBeUsed) {
  run([] {
    const auto why = [](const TlsServerOptions& options) -> std::string {
      try {
        const TlsServer server(options);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kInvalidArgument);
        return error.what();
      }
      return "nothing";
    };
    EXPECT_THAT(why({}), HasSubstr("needs a certificate"));
    TlsServerOptions options = server_options();
    options.certificates[0].certificate_file = "/nowhere/site.pem";
    EXPECT_THAT(why(options), HasSubstr("/nowhere/site.pem"));
    options = server_options();
    options.certificates[0].key_file = authority().issue("unlike", "unlike", "").key_file;
    EXPECT_THAT(why(options), HasSubstr("unlike.key"));
    options = server_options();
    options.certificates[0].key_file = authority().file("garbage.key");
    std::ofstream(options.certificates[0].key_file) << "garbage";
    EXPECT_THAT(why(options), HasSubstr("garbage.key"));
    options = server_options();
    options.client_certificates = ClientCertificates::kRequired;
    EXPECT_THAT(why(options), HasSubstr("client CA file"));
    options = server_options();
    options.alpn = {""};
    EXPECT_THAT(why(options), HasSubstr("1 to 255 bytes"));
  });
}

TEST(Tls, GarbageInsteadOfAHandshakeIsAnError) {
  run([] {
    const TlsServer server(server_options());
    for (const std::string_view garbage :
         {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", "\x80\x80\x01\x03"}) {
      Pair pair = plain_pair();
      TcpStream stream = server.wrap(std::move(pair.server));
      pair.client.write({garbage.data(), garbage.size()});
      pair.client.shutdown_write();
      std::array<char, 8> into;
      const IoResult got = stream.read(into, now() + 10s);
      EXPECT_EQ(got.bytes, 0U);
      EXPECT_TRUE(got.error == EPROTO || got.error == ECONNABORTED) << got.error;
      EXPECT_NE(stream.write("x").error, 0);
    }
  });
}

TEST(Tls, ABrokenRecordEndsTheSession) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    Pair plain = plain_pair();
    const int raw = plain.client.fd();
    Pair pair{client.wrap(std::move(plain.client), "site.test"), server.wrap(std::move(plain.server))};
    ASSERT_EQ(shake(pair).client, "");
    const std::string record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'z');
    ASSERT_EQ(::send(raw, record.data(), record.size(), MSG_NOSIGNAL), static_cast<ssize_t>(record.size()));
    std::array<char, 8> into;
    EXPECT_EQ(pair.server.read(into, now() + 10s).error, EPROTO);
    EXPECT_EQ(pair.server.read(into, now() + 10s).error, EPROTO);
    // The peer is told.
    EXPECT_EQ(pair.client.read(into, now() + 10s).error, EPROTO);
  });
}

TEST(Tls, TheHandshakeObservesDeadlineContextAndInterrupt) {
  run([] {
    const TlsClient client(client_options());
    Pair pair = plain_pair();
    TcpStream stream = client.wrap(std::move(pair.client), "site.test");
    EXPECT_EQ(degu::testing::code_of([&] { tls_handshake(stream, now() + 20ms); }), Code::kDeadlineExceeded);
    EXPECT_FALSE(tls_info(stream));
    {
      const CancelScope scope(20ms);
      EXPECT_EQ(degu::testing::code_of([&] { tls_handshake(stream); }), Code::kDeadlineExceeded);
    }
    const auto [context, cancel] = with_cancel(current_context());
    WaitGroup waiting;
    {
      const ContextScope scope(context);
      waiting.go(
          [&] { EXPECT_EQ(degu::testing::code_of([&] { tls_handshake(stream); }), Code::kCancelled); });
    }
    cancel();
    waiting.wait();
    waiting.go([&] {
      std::array<char, 8> into;
      EXPECT_EQ(stream.read(into).error, EBADF);
    });
    stream.interrupt();
    waiting.wait();
  });
}

TEST(Tls, ClosingEndsCallsThatWait) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client);
    ASSERT_EQ(shake(pair).client, "");
    WaitGroup waiting;
    std::atomic<bool> begun{false};
    waiting.go([&] {
      std::array<char, 8> into;
      begun = true;
      EXPECT_EQ(pair.client.read(into).error, EBADF);
    });
    while (!begun) yield();
    pair.client.close();
    waiting.wait();
    EXPECT_EQ(pair.client.write("x").error, EBADF);
  });
}

TEST(Tls, ADeadlineOfTheStreamEndsAWaitingRead) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client);
    ASSERT_EQ(shake(pair).client, "");
    pair.client.set_read_deadline(now() + 10ms);
    std::array<char, 8> into;
    EXPECT_EQ(pair.client.read(into).error, ETIMEDOUT);
    pair.client.set_read_deadline(kNever);
    EXPECT_EQ(pair.server.write("late").error, 0);
    EXPECT_EQ(read_exactly(pair.client, 4), "late");
  });
}

TEST(Tls, WhatAWriterLostIsNotSkipped) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    Pair pair = wrapped(server, client);
    ASSERT_EQ(shake(pair).client, "");
    // Nobody reads: the buffers of the kernel fill up.
    const std::string much(64 << 20, 'm');
    const IoResult stuck = pair.server.write(much, now() + 50ms);
    EXPECT_EQ(stuck.error, ETIMEDOUT);
    EXPECT_LT(stuck.bytes, much.size());
    EXPECT_EQ(pair.server.write("more", now() + 50ms).error, ETIMEDOUT);
  });
}

}  // namespace
}  // namespace degu::net
