#include <degu/base/error.h>
#include <degu/base/testing/code_of.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/file.h>
#include <degu/net/internal/pidfd.h>
#include <degu/net/pipe.h>
#include <degu/net/process.h>
#include <degu/net/tcp.h>
#include <degu/rt/run.h>
#include <degu/rt/testing/all_shapes.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

namespace degu::net {
namespace {

using testing::code_of;

using namespace std::chrono_literals;

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

// Waits until the child says that it has set its traps.
void await_ready(Process& process) {
  char line[16];
  EXPECT_GT(process.out().read(line).bytes, 0U);
}

TEST(Process, TellsHowItEnded) {
  all_shapes([] {
    for (const int code : {0, 3, 255}) {
      Process process = Process::spawn(shell("exit " + std::to_string(code)));
      const ExitStatus status = process.wait();
      EXPECT_EQ(status.code, code);
      EXPECT_EQ(status.signal, 0);
      EXPECT_EQ(status.ok(), code == 0);
      EXPECT_EQ(process.wait().code, code);
      EXPECT_FALSE(process.kill());
    }
  });
}

TEST(Process, KillAndTryWait) {
  run([] {
    Process process = Process::spawn({"sleep", "1000"});
    EXPECT_FALSE(process.try_wait().has_value());
    EXPECT_TRUE(process.kill(SIGTERM));
    const ExitStatus status = process.wait();
    EXPECT_EQ(status.signal, SIGTERM);
    EXPECT_EQ(status.code, -1);
    EXPECT_EQ(to_string(status), "signal 15 (Terminated)");
    EXPECT_EQ(to_string(ExitStatus{2, 0}), "exit code 2");
    EXPECT_TRUE(process.try_wait().has_value());
  });
}

TEST(Process, SeveralMayWait) {
  all_shapes([] {
    Process process = Process::spawn({"sleep", "1000"});
    WaitGroup group;
    for (int i = 0; i < 4; ++i) group.go([&] { EXPECT_EQ(process.wait().signal, SIGKILL); });
    yield();
    process.kill();
    group.wait();
  });
}

TEST(Process, IsKilledWithItsObject) {
  run([] {
    int pid = 0;
    {
      const Process process = Process::spawn({"sleep", "1000"});
      pid = process.pid();
      EXPECT_EQ(::kill(pid, 0), 0);
    }
    EXPECT_EQ(::kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
  });
}

TEST(Process, StreamsArePipes) {
  run([] {
    Process process = Process::spawn({"cat"}, {.in = Stdio::kPipe, .out = Stdio::kPipe});
    char bytes[16];
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(process.in().write(std::string("ping")).error, 0);
      EXPECT_EQ(process.out().read(bytes).bytes, 4U);
    }
    process.in().close();
    EXPECT_EQ(process.out().read(bytes).bytes, 0U);
    EXPECT_TRUE(process.wait().ok());
    EXPECT_FALSE(process.err());
  });
}

TEST(Process, EnvironmentAndFolder) {
  run([] {
    CaptureOptions options;
    options.process.env = {"GREETING=hello", "PATH=/usr/bin:/bin"};
    options.process.cwd = "/";
    const ProcessOutput output = run_process(shell("echo $GREETING; pwd"), options);
    EXPECT_EQ(output.out, "hello\n/\n");
    EXPECT_TRUE(output.status.ok());
  });
}

TEST(Process, FailuresSayWhy) {
  run([] {
    EXPECT_EQ(code_of([] { Process::spawn({}); }), Code::kInvalidArgument);
    EXPECT_EQ(code_of([] { Process::spawn({"/no/such/program"}); }), Code::kNotFound);
    EXPECT_EQ(code_of([] { Process::spawn({"no-such-program-anywhere"}); }), Code::kNotFound);
    EXPECT_EQ(code_of([] { Process::spawn({"/etc/passwd"}); }), Code::kPermissionDenied);
    EXPECT_EQ(code_of([] { Process::spawn({"true"}, {.cwd = "/no/such/folder"}); }), Code::kNotFound);
  });
}

TEST(Process, HasDefaultSignalsAndNoStrangeDescriptors) {
  run([] {
    // Writing to a pipe has made this process handle SIGPIPE.
    Process process = Process::spawn(shell("kill -PIPE $$; exit 0"), {.out = Stdio::kPipe});
    EXPECT_EQ(process.wait().signal, SIGPIPE);
    const std::string before = run_process({"ls", "/proc/self/fd"}).out;
    std::vector<Pipe> pipes;
    for (int i = 0; i < 20; ++i) pipes.push_back(Pipe::open());
    const File file = File::open("/dev/null");
    const TcpListener listener = TcpListener::listen("127.0.0.1:0");
    EXPECT_EQ(run_process({"ls", "/proc/self/fd"}).out, before);
  });
}

TEST(Process, TheEndOfTheContextAsksItToEnd) {
  run([] {
    Process process = Process::spawn(shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"),
                                     {.out = Stdio::kPipe, .grace = 1h});
    await_ready(process);
    CancelScope scope;
    go([&] { scope.cancel(); });
    EXPECT_THROW(process.wait(), Cancelled);
    EXPECT_EQ(process.try_wait()->code, 0);
  });
}

TEST(Process, AfterTheGraceItIsKilled) {
  run([] {
    Process process = Process::spawn(shell("trap '' TERM; echo ready; while :; do sleep 0.01; done"),
                                     {.out = Stdio::kPipe, .grace = 20ms});
    await_ready(process);
    CancelScope scope(1ms);
    EXPECT_THROW(process.wait(), DeadlineExceeded);
    EXPECT_EQ(process.try_wait()->signal, SIGKILL);
  });
}

TEST(Process, AGroupIsMetAsAWhole) {
  run([] {
    Process process =
        Process::spawn(shell("sleep 1000 & echo ready; wait"), {.out = Stdio::kPipe, .own_group = true});
    await_ready(process);
    process.kill();
    EXPECT_EQ(process.wait().signal, SIGKILL);
    // The sleeper held the other end of the pipe, too.
    char byte = 0;
    EXPECT_EQ(process.out().read({&byte, 1}).bytes, 0U);
  });
}

// Where the kernel has no pidfds, a thread waits for the child.
struct WithoutPidfds {
  WithoutPidfds() {
    internal::set_pidfd_open_for_test([](int) noexcept {
      ++asked;
      return -1;
    });
  }
  ~WithoutPidfds() { internal::set_pidfd_open_for_test(nullptr); }
  WithoutPidfds(const WithoutPidfds&) = delete;
  WithoutPidfds& operator=(const WithoutPidfds&) = delete;
  static inline std::atomic<int> asked{0};
};

// The goroutine that waits for a child ends after the child was seen to have ended.
void await_watchers() {
  while (num_goroutines() > 1) yield();
}

TEST(ProcessWithoutPidfd, TellsHowItEnded) {
  const WithoutPidfds none;
  const int before = WithoutPidfds::asked;
  run([] {
    EXPECT_EQ(Process::spawn(shell("exit 3")).wait().code, 3);
    Process process = Process::spawn({"sleep", "1000"});
    EXPECT_FALSE(process.try_wait().has_value());
    WaitGroup group;
    for (int i = 0; i < 4; ++i) group.go([&] { EXPECT_EQ(process.wait().signal, SIGTERM); });
    yield();
    EXPECT_TRUE(process.kill(SIGTERM));
    group.wait();
    EXPECT_EQ(process.wait().signal, SIGTERM);
    EXPECT_FALSE(process.kill());
    await_watchers();
  });
  EXPECT_EQ(WithoutPidfds::asked - before, 2);
}

TEST(ProcessWithoutPidfd, IsKilledWithItsObjectAndEndsWithTheContext) {
  const WithoutPidfds none;
  run([] {
    int pid = 0;
    {
      const Process process = Process::spawn({"sleep", "1000"});
      pid = process.pid();
    }
    EXPECT_EQ(::kill(pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
    Process process = Process::spawn(shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"),
                                     {.out = Stdio::kPipe, .grace = 1h});
    await_ready(process);
    {
      CancelScope scope;
      go([&] { scope.cancel(); });
      EXPECT_THROW(process.wait(), Cancelled);
    }
    EXPECT_EQ(process.try_wait()->code, 7);
    await_watchers();
  });
}

TEST(ProcessWithoutPidfd, ManyAtOnce) {
  const WithoutPidfds none;
  run([] {
    {
      WaitGroup group;
      for (int i = 0; i < 20; ++i) {
        group.go([i] {
          EXPECT_EQ(run_process(shell("echo " + std::to_string(i))).out, std::to_string(i) + "\n");
        });
      }
      group.wait();
    }
    await_watchers();
  });
}

TEST(RunProcess, CollectsBothStreams) {
  all_shapes([] {
    const ProcessOutput output = run_process(shell("cat; echo oops >&2; exit 4"), {.input = "hello"});
    EXPECT_EQ(output.out, "hello");
    EXPECT_EQ(output.err, "oops\n");
    EXPECT_EQ(output.status.code, 4);
  });
}

TEST(RunProcess, MoreThanThePipesHold) {
  run([] {
    const std::string much(1'000'000, 'x');
    EXPECT_EQ(run_process({"cat"}, {.input = much}).out, much);
    CaptureOptions together;
    together.process.err_to_out = true;
    EXPECT_EQ(run_process(shell("echo a; echo b >&2; echo c"), together).out, "a\nb\nc\n");
    // A child that does not read its input.
    EXPECT_TRUE(run_process({"true"}, {.input = much}).status.ok());
  });
}

TEST(RunProcess, HasALimit) {
  run([] { EXPECT_EQ(code_of([] { run_process({"yes"}, {.max_output = 100'000}); }), Code::kOutOfRange); });
}

TEST(RunProcess, EndsWithTheContext) {
  run([] {
    CancelScope scope(5ms);
    EXPECT_EQ(code_of([] { run_process({"sleep", "1000"}); }), Code::kDeadlineExceeded);
  });
}

TEST(Process, ManyAtOnce) {
  run([] {
    WaitGroup group;
    for (int i = 0; i < 20; ++i) {
      group.go(
          [i] { EXPECT_EQ(run_process(shell("echo " + std::to_string(i))).out, std::to_string(i) + "\n"); });
    }
    group.wait();
  });
}

}  // namespace
}  // namespace degu::net
