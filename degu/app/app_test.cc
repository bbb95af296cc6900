#include <degu/app/app.h>
#include <degu/app/testdata/three.degu.h>
#include <degu/base/error.h>
#include <degu/base/testing/temp_dir.h>
#include <degu/http/client.h>
#include <degu/rpc/rest.h>
#include <degu/rt/run.h>
#include <degu/sync/chan.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace degu {
namespace {

using app::testdata::Answer;
using app::testdata::Ask;
using app::testdata::First;
using app::testdata::Second;

struct Echo : First {
  Answer call(const Ask& ask) override { return {"echo " + ask.text}; }
};

struct Upper : Second {
  Answer call(const Ask&) override { return {"second"}; }
};

int run_with(App& app, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "test");
  return app.run(static_cast<int>(arguments.size()), arguments.data());
}

class AppTest : public ::testing::Test {
 protected:
  AppTest() {
    options_ = AppOptions{.name = "test", .port = 0, .data_dir = dir_.file("state"), .access_log = false};
  }

  // Goroutines that are still there when run() ends are abandoned with what they hold.
  void wait_for_clients(App& app) {
    app.on_stop([this] { clients_.wait(); });
  }

  testing::TempDir dir_;
  AppOptions options_;
  WaitGroup clients_;
};

TEST_F(AppTest, ServesComponentsAndEndsOnShutdown) {
  App app(options_);
  wait_for_clients(app);
  bool stopped = false;
  app.provide<First>([&] {
    EXPECT_TRUE(std::filesystem::is_directory(app.data_dir()));
    app.on_stop([&] { stopped = true; });
    return std::make_shared<Echo>();
  });
  app.on_start([&] { mount(app.router(), app.client<First>()); });
  http::Response first;
  http::Response health;
  http::Response ready;
  app.add_health_check("store", [] {});
  app.on_ready([&](const std::string& url) {
    clients_.go([&, url] {
      http::Client client;
      first = client.get(url + "/first/x");
      health = client.get(url + "/health");
      ready = client.get(url + "/health/ready");
      EXPECT_EQ(client.get(url + "/health/live").status, 200);
      EXPECT_EQ(client.get(url + "/health/startup").status, 200);
      EXPECT_FALSE(stopped);
      app.shutdown();
    });
  });
  EXPECT_EQ(run_with(app, {}), 0);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(first.body, R"({"text":"echo x"})");
  EXPECT_FALSE(first.header("x-request-id").empty());
  EXPECT_EQ(ready.body, R"({"status":"UP"})");
  EXPECT_EQ(
      health.body,
      R"({"status":"UP","phase":"running","components":["degu.app.testdata.First"],"checks":{"store":"UP"}})");
}

TEST_F(AppTest, FailingCheckIsNotReady) {
  App app(options_);
  wait_for_clients(app);
  app.add_health_check("store", [] { throw Error(Code::kUnavailable, "no disk"); });
  http::Response ready;
  http::Response live;
  app.on_ready([&](const std::string& url) {
    clients_.go([&, url] {
      http::Client client;
      ready = client.get(url + "/health/ready");
      live = client.get(url + "/health/live");
      app.shutdown();
    });
  });
  EXPECT_EQ(run_with(app, {}), 0);
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.body, R"({"status":"DOWN","reason":"store: UNAVAILABLE: no disk"})");
  EXPECT_EQ(live.status, 200);
}

// Descriptor 3 is a listening socket, as systemd hands it over; what was there comes back.
class HandedOver {
 public:
  HandedOver() : saved_(::fcntl(kPlace, F_DUPFD_CLOEXEC, 100)), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(fd_, 16);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    const int kept = ::fcntl(fd_, F_DUPFD_CLOEXEC, 100);
    ::close(fd_);
    fd_ = kept;
    ::dup2(fd_, kPlace);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", "1", 1);
    ::setenv("LISTEN_FDNAMES", "web", 1);
  }
  ~HandedOver() {
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
    ::close(kPlace);
    if (saved_ >= 0) {
      ::dup2(saved_, kPlace);
      ::close(saved_);
    }
    ::close(fd_);
  }
  HandedOver(const HandedOver&) = delete;
  HandedOver& operator=(const HandedOver&) = delete;
  uint16_t port() const { return port_; }
  bool still_listens() const {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1;
  }

 private:
  static constexpr int kPlace = 3;
  int saved_;
  int fd_;
  uint16_t port_ = 0;
};

TEST_F(AppTest, ListensOnASocketThatIsHandedOver) {
  for (const char* flag : {"--listen=inherited", "--listen=inherited:web"}) {
    const HandedOver socket;
    App app(options_);
    wait_for_clients(app);
    int status = 0;
    app.on_ready([&](const std::string& url) {
      clients_.go([&, url] {
        status = http::Client().get(url + "/health/live").status;
        app.shutdown();
      });
    });
    EXPECT_EQ(run_with(app, {flag}), 0);
    EXPECT_EQ(app.url(), "http://127.0.0.1:" + std::to_string(socket.port()));
    EXPECT_EQ(status, 200);
    EXPECT_TRUE(socket.still_listens());
  }
}

TEST_F(AppTest, SaysWhatIsWrongWithAHandOver) {
  {
    App app(options_);
    EXPECT_EQ(run_with(app, {"--listen=inherited"}), 1);  // there is none
  }
  const HandedOver socket;
  const std::vector<std::pair<const char*, const char*>> faults{
      {"--listen=inherited:other", "no socket named other was handed over, only web"},
      {"--listen=127.0.0.1:80", "--listen=127.0.0.1:80 is not known"},
      {"--listen=inherit", "--listen=inherit is not known"}};
  for (const auto& [flag, reason] : faults) {
    App app(options_);
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run_with(app, {flag}), 1) << flag;
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find(reason), std::string::npos) << said;
  }
  EXPECT_TRUE(socket.still_listens());
}

TEST_F(AppTest, SignalDrainsRequestsInFlight) {
  App app(options_);
  Chan<int> inside = make_chan<int>(0);
  Chan<int> leave = make_chan<int>(0);
  wait_for_clients(app);
  http::Response slow;
  std::string during;
  app.on_start([&] {
    app.router().get("/slow", [&](http::Exchange& c) {
      inside.send(1);
      leave.recv();
      c.text(200, "done");
    });
    app.router().get("/probe", [&](http::Exchange& c) { c.text(200, "ok"); });
  });
  app.on_ready([&](const std::string& url) {
    clients_.go([&, url] { slow = http::Client().get(url + "/slow"); });
    clients_.go([&, url] {
      inside.recv();
      ::kill(::getpid(), SIGTERM);
      while (true) {
        try {
          http::Client().get(url + "/probe");
        } catch (const Error&) {
          break;  // no longer accepting
        }
        yield();
      }
      during = "drained";
      leave.send(1);
    });
  });
  EXPECT_EQ(run_with(app, {"--drain=30s"}), 0);
  EXPECT_EQ(slow.status, 200);
  EXPECT_EQ(slow.body, "done");
  EXPECT_EQ(during, "drained");
}

TEST_F(AppTest, RequestsBeyondTheDrainAreCancelled) {
  App app(options_);
  wait_for_clients(app);
  Code ended = Code::kOk;
  app.on_start([&] {
    app.router().get("/stuck", [&](http::Exchange&) {
      app.shutdown();
      try {
        sleep(std::chrono::hours(1));
      } catch (const Error& error) {
        ended = error.code();
        throw;
      }
    });
  });
  app.on_ready([&](const std::string& url) {
    clients_.go([url] {
      try {
        http::Client().get(url + "/stuck");
      } catch (const Error&) {
      }
    });
  });
  EXPECT_EQ(run_with(app, {"--drain=20ms"}), 0);
  EXPECT_EQ(ended, Code::kCancelled);
}

// A plain socket that listens, since one of ours would not outlive its scheduler.
class TakenPort {
 public:
  TakenPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~TakenPort() { ::close(fd_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;
  uint16_t port() const { return port_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST_F(AppTest, TakenPortSaysWhatToDo) {
  const TakenPort taken;
  const uint16_t port = taken.port();
  options_.port = port;
  App app(options_);
  app.provide<First>([]() -> std::shared_ptr<First> { throw Error(Code::kInternal, "must not start"); });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with(app, {}), 1);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("port " + std::to_string(port) + " is taken"), std::string::npos) << said;
  EXPECT_NE(said.find("--port"), std::string::npos);
}

TEST_F(AppTest, UnusableDataDirSaysWhatToDo) {
  std::ofstream(dir_.file("file")) << "x";
  App app(options_);
  const std::string flag = "--data-dir=" + dir_.file("file/state");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with(app, {flag.c_str()}), 1);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("/file/state cannot be used"), std::string::npos) << said;
  EXPECT_NE(said.find("--data-dir"), std::string::npos);
}

TEST_F(AppTest, DataDirBelongsToOneProcess) {
  App app(options_);
  std::string said;
  app.on_ready([&](const std::string&) {
    // A descriptor of its own is to flock what another process is.
    std::filesystem::path lock = app.data_dir() + "/.lock";
    EXPECT_TRUE(std::filesystem::exists(lock));
    const std::string command = "flock -n " + lock.string() + " true";
    EXPECT_NE(blocking([&] { return std::system(command.c_str()); }), 0);
    app.shutdown();
  });
  EXPECT_EQ(run_with(app, {}), 0);
}

TEST_F(AppTest, FailedStartStopsWhatHasStarted) {
  App app(options_);
  bool stopped = false;
  app.provide<Second>([&] {
    app.on_stop([&] { stopped = true; });
    return std::make_shared<Upper>();
  });
  app.provide<First>([&](App& self) -> std::shared_ptr<First> {
    self.client<Second>();
    throw Error(Code::kInternal, "no way");
  });
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with(app, {}), 1);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("test: no way"), std::string::npos);
  EXPECT_TRUE(stopped);
}

TEST_F(AppTest, Flags) {
  App app(options_);
  int64_t count = 3;
  app.flags().add("--count", count, "how many");
  app.on_ready([&](const std::string&) { app.shutdown(); });
  EXPECT_EQ(run_with(app, {"serve", "--count=5", "--drain=2m", "--access-log=on"}), 0);
  EXPECT_EQ(count, 5);
  for (const char* bad : {"--drain=soon", "--access-log=maybe", "--port=70000", "--nope=1", "nope"}) {
    App other(options_);
    ::testing::internal::CaptureStderr();
    EXPECT_NE(run_with(other, {bad}), 0) << bad;
    EXPECT_NE(::testing::internal::GetCapturedStderr(), "") << bad;
  }
}

TEST_F(AppTest, OnlyTheWholeForNow) {
  App app(options_);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_with(app, {"--components=order"}), 1);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("--components=all"), std::string::npos);
}

TEST_F(AppTest, CommandsRunInsteadOfTheServer) {
  App app(options_);
  int products = 1;
  app.provide<Second>([] { return std::make_shared<Upper>(); });
  std::string answer;
  app.command("seed", "fills the shelves",
              [&] {
                answer = app.client<Second>()->call({}).text;
                EXPECT_TRUE(std::filesystem::is_directory(app.data_dir()));
                return products;
              })
      .add("--products", products, "how many");
  app.on_ready([](const std::string&) { FAIL() << "served"; });
  EXPECT_EQ(run_with(app, {"seed", "--products=7"}), 7);
  EXPECT_EQ(answer, "second");
}

TEST_F(AppTest, ClientsOnlyWithinRun) {
  App app(options_);
  app.provide<Second>([] { return std::make_shared<Upper>(); });
  EXPECT_THROW(app.client<Second>(), Error);
}

TEST(Durations, ReadAndShow) {
  using std::chrono::nanoseconds;
  nanoseconds out{};
  EXPECT_TRUE(app::parse_duration("250ms", out));
  EXPECT_EQ(out, std::chrono::milliseconds(250));
  EXPECT_EQ(app::to_string(out), "250ms");
  EXPECT_TRUE(app::parse_duration("120s", out));
  EXPECT_EQ(app::to_string(out), "2m");
  EXPECT_TRUE(app::parse_duration("0s", out));
  EXPECT_EQ(app::to_string(out), "0s");
  for (const char* bad : {"", "5", "s", "-1s", "1.5s", "1 s", "99999999999h"})
    EXPECT_FALSE(app::parse_duration(bad, out)) << bad;
}

TEST_F(AppTest, DebugPagesAreOnTheAdminPortAlone) {
  const std::string free_port = std::to_string(std::make_unique<TakenPort>()->port());
  App app(options_);
  wait_for_clients(app);
  http::Response dump;
  http::Response profile;
  http::Response elsewhere;
  app.on_ready([&](const std::string& url) {
    clients_.go([&, url] {
      const std::string admin = "http://127.0.0.1:" + free_port;
      http::Client client;
      dump = client.get(admin + "/debug/goroutines");
      profile = client.get(admin + "/debug/pprof/goroutine");
      elsewhere = client.get(url + "/debug/goroutines");
      app.shutdown();
    });
  });
  EXPECT_EQ(run_with(app, {"--admin-port", free_port.c_str()}), 0);
  EXPECT_NE(dump.body.find("main ["), std::string::npos);
  EXPECT_EQ(profile.status, 200);
  EXPECT_EQ(elsewhere.status, 404);
}

TEST_F(AppTest, ATakenAdminPortIsAnErrorOnlyWhenAskedFor) {
  const TakenPort taken;
  options_.admin_port = taken.port();
  {
    App app(options_);
    app.on_ready([&](const std::string&) { app.shutdown(); });
    EXPECT_EQ(run_with(app, {}), 0);
  }
  options_.admin_port = 0;
  App app(options_);
  app.on_ready([&](const std::string&) { app.shutdown(); });
  EXPECT_EQ(run_with(app, {"--admin-port", std::to_string(taken.port()).c_str()}), 1);
}

}  // namespace
}  // namespace degu
