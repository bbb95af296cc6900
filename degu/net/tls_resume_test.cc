// Sessions of TLS that are resumed, by the server that gave them and by others.
#include <degu/base/testing/code_of.h>
#include <degu/base/testing/fixed_time.h>
#include <degu/net/internal/tls_sessions.h>
#include <degu/net/testing/test_authority.h>
#include <degu/net/tls.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace degu::net {
namespace {

using namespace std::chrono_literals;
using degu::testing::code_of;
using degu::testing::TestAuthority;

TestAuthority& authority() {
  static auto* made = new TestAuthority;
  return *made;
}

TlsServerOptions server_options(std::string secret = {}) {
  static const TlsKeyPair site = authority().issue("site", "site", "DNS:site.test,DNS:other.test");
  TlsServerOptions options;
  options.certificates = {site};
  options.ticket_secret = std::move(secret);
  return options;
}

TlsClientOptions client_options() {
  TlsClientOptions options;
  options.ca_file = authority().ca_file();
  return options;
}

struct Visit {
  bool client = false;  // has resumed
  bool server = false;
  std::string peer;  // the client, as the server knows it
};

struct Connected {
  TcpStream client;
  TcpStream server;
  Visit visit;
};

// A connection on which both have spoken: the client has got its tickets. No deadlines: some tests stop the clock.
Connected connect(const TlsServer& server, const TlsClient& client, std::string_view name = "site.test",
                  std::string_view address = {}) {
  TcpListener listener = TcpListener::listen("127.0.0.1:0");
  Connected made;
  made.client = client.wrap(TcpStream::connect(listener.address()), name, address);
  made.server = server.wrap(listener.accept());
  WaitGroup serving;
  serving.go([&] {
    tls_handshake(made.server);
    EXPECT_EQ(made.server.write("x").error, 0);
  });
  tls_handshake(made.client);
  char byte = 0;
  EXPECT_EQ(made.client.read({&byte, 1}).bytes, 1U);
  serving.wait();
  const auto info = tls_info(made.server);
  made.visit = {tls_info(made.client)->resumed, info->resumed, info->peer_subject};
  return made;
}

// How the server's handshake fails.
Code refusal(const TlsServer& server, const TlsClient& client) {
  TcpListener listener = TcpListener::listen("127.0.0.1:0");
  TcpStream asks = client.wrap(TcpStream::connect(listener.address()), "site.test");
  TcpStream serves = server.wrap(listener.accept());
  WaitGroup asking;
  asking.go([&] {
    char byte = 0;
    EXPECT_EQ(asks.read({&byte, 1}).bytes, 0U);
  });
  const Code code = code_of([&] { tls_handshake(serves); });
  serves.close();
  asking.wait();
  return code;
}

bool resumes(const TlsServer& server, const TlsClient& client, std::string_view name = "site.test",
             std::string_view address = {}) {
  const Visit visit = connect(server, client, name, address).visit;
  EXPECT_EQ(visit.client, visit.server);
  return visit.client;
}

const std::string& secret() {
  static const std::string made(32, 's');
  return made;
}

TEST(TlsResume, TheNextConnectionsAreShort) {
  run([] {
    for (const bool shared : {false, true}) {
      const TlsServer server(server_options(shared ? secret() : std::string()));
      TlsClientOptions wanted = client_options();
      const TlsClient client(wanted);
      EXPECT_FALSE(resumes(server, client));
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(resumes(server, client));
      EXPECT_FALSE(resumes(server, TlsClient(wanted)));  // it has none
      wanted.resume = false;
      const TlsClient forgetful(wanted);
      EXPECT_FALSE(resumes(server, forgetful));
      EXPECT_FALSE(resumes(server, forgetful));
    }
  });
}

TEST(TlsResume, ATicketIsUsedOnce) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    EXPECT_FALSE(resumes(server, client));
    TcpListener listener = TcpListener::listen("127.0.0.1:0");
    // It takes the ticket, and comes to nothing.
    const TcpStream lost = client.wrap(TcpStream::connect(listener.address()), "site.test");
    EXPECT_FALSE(resumes(server, client));
    EXPECT_TRUE(resumes(server, client));
  });
}

TEST(TlsResume, ASessionIsForOneServer) {
  run([] {
    const TlsServer server(server_options());
    const TlsClient client(client_options());
    EXPECT_FALSE(resumes(server, client, "site.test", "a:1"));
    EXPECT_FALSE(resumes(server, client, "other.test", "a:1"));
    EXPECT_FALSE(resumes(server, client, "site.test", "a:2"));
    EXPECT_TRUE(resumes(server, client, "site.test", "a:1"));
    EXPECT_TRUE(resumes(server, client, "other.test", "a:1"));
  });
}

TEST(TlsResume, ReplicasWithOneSecretTakeEachOthersTickets) {
  run([] {
    const TlsServer one(server_options(secret()));
    const TlsServer two(server_options(secret()));
    const TlsServer stranger(server_options(std::string(32, 't')));
    const TlsServer without(server_options());
    const TlsClient client(client_options());
    EXPECT_FALSE(resumes(one, client));
    EXPECT_TRUE(resumes(two, client));
    EXPECT_TRUE(resumes(one, client));
    EXPECT_FALSE(resumes(stranger, client));
    EXPECT_FALSE(resumes(one, client));
    EXPECT_FALSE(resumes(without, client));
    EXPECT_FALSE(resumes(TlsServer(server_options()), client));
    const TlsClient again(client_options());
    EXPECT_FALSE(resumes(one, again));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(resumes(TlsServer(server_options(secret())), again));  // restarts
  });
}

TEST(TlsResume, AReloadForgetsSessionsUnlessThereIsASecret) {
  run([] {
    for (const bool shared : {false, true}) {
      TlsServer server(server_options(shared ? secret() : std::string()));
      const TlsClient client(client_options());
      EXPECT_FALSE(resumes(server, client));
      server.reload();
      EXPECT_EQ(resumes(server, client), shared);
    }
  });
}

TEST(TlsResume, TicketsOfThePeriodBeforeAreReplaced) {
  degu::testing::FixedTime time;
  run([&] {
    const TlsServer server(server_options(secret()));
    const TlsClient client(client_options());
    EXPECT_FALSE(resumes(server, client));
    for (int i = 0; i < 3; ++i) {
      time.advance(12h);
      EXPECT_TRUE(resumes(server, client));
    }
    time.advance(24h);
    EXPECT_FALSE(resumes(server, client));
    time.advance(-12h);  // another's clock is behind
    EXPECT_TRUE(resumes(server, client));
  });
}

TEST(TlsResume, KeepsWhoTheClientIsWhileItIsTrusted) {
  run([] {
    TestAuthority second;
    TestAuthority trusted;
    const std::string ca = authority().file("clients.pem");
    const auto trust = [&](const TestAuthority& whom) {
      std::filesystem::copy_file(whom.ca_file(), ca, std::filesystem::copy_options::overwrite_existing);
    };
    trust(trusted);
    TlsServerOptions options = server_options(secret());
    options.client_certificates = ClientCertificates::kVerifiedIfGiven;
    options.client_ca_file = ca;
    TlsServer server(options);
    TlsClientOptions wanted = client_options();
    wanted.certificate = trusted.issue("ada", "ada", "");
    const TlsClient client(wanted);
    EXPECT_FALSE(connect(server, client).visit.server);
    const Visit again = connect(server, client).visit;
    EXPECT_TRUE(again.server);
    EXPECT_EQ(again.peer, "CN=ada");
    TlsServerOptions open = options;
    open.client_certificates = ClientCertificates::kIgnored;
    EXPECT_FALSE(resumes(TlsServer(open), client));  // others ask other things of their clients
    EXPECT_FALSE(resumes(server, client));
    EXPECT_TRUE(connect(server, client).visit.server);
    trust(second);
    server.reload();
    EXPECT_EQ(refusal(server, client), Code::kUnavailable);
  });
}

TEST(TlsResume, TheSecretHasToBeLong) {
  run([] {
    EXPECT_EQ(code_of([] { TlsServer(server_options("short")); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([] { TlsServer(server_options(std::string(31, 's'))); }), Code::kInvalidArgument);
  });
}

TEST(TlsSessions, AreBounded) {
  internal::TlsSessions sessions;
  const auto add = [&](int server) {
    sessions.put(std::to_string(server), internal::TlsSessionPtr(SSL_SESSION_new()));
  };
  for (int i = 0; i < 1000; ++i) add(i);
  EXPECT_EQ(sessions.size_for_test(), internal::TlsSessions::kMaxServers);
  add(999);
  EXPECT_EQ(sessions.size_for_test(), internal::TlsSessions::kMaxServers);
  EXPECT_NE(sessions.take("999"), nullptr);
  EXPECT_EQ(sessions.take("no such"), nullptr);
}

TEST(TlsSessions, OfTls12AreUsedAgain) {
  internal::TlsSessions sessions;
  const auto add = [&](const std::string& server, int version) {
    internal::TlsSessionPtr session(SSL_SESSION_new());
    ASSERT_EQ(SSL_SESSION_set_protocol_version(session.get(), version), 1);
    sessions.put(server, std::move(session));
  };
  add("old", TLS1_2_VERSION);
  add("new", TLS1_3_VERSION);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(sessions.take("old"), nullptr);
    EXPECT_EQ(sessions.take("new") != nullptr, i == 0);
  }
}

}  // namespace
}  // namespace degu::net
