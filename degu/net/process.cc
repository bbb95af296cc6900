// The number of a child stays taken until it is reaped, so a pidfd that was opened before always means this child. Who
// reaps and who signals hold `lock`: where there is no pidfd, kill(2) could otherwise meet a newcomer.
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/internal/errno_error.h>
#include <degu/net/internal/fd.h>
#include <degu/net/internal/network.h>
#include <degu/net/internal/pidfd.h>
#include <degu/net/process.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

namespace degu::net {
namespace {

using internal::errno_error;

// A descriptor for the time of the spawn.
class OwnedFd {
 public:
  OwnedFd() noexcept = default;
  explicit OwnedFd(int fd) noexcept : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// The child's end blocks, as programs expect; ours does not.
struct ChildPipe {
  OwnedFd child;
  Socket parent;
};

// Not 0 to 2, which the child's own streams become one after the other.
OwnedFd above_stdio(int fd) noexcept {
  OwnedFd owned(fd);
  if (fd > 2) return owned;
  return OwnedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

ChildPipe open_pipe(bool child_reads) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw errno_error(errno, "cannot make a pipe");
  OwnedFd ours(ends[child_reads ? 1 : 0]);
  ChildPipe pipe{above_stdio(ends[child_reads ? 0 : 1]), {}};
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  pipe.parent = Socket(internal::Fd::open(ours.release(), internal::FdKind::kFile));
  return pipe;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// posix_spawn's two descriptions of the child.
class Plan {
 public:
  Plan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~Plan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  void stdio(int target, Stdio where, const ChildPipe& pipe) {
    if (where == Stdio::kNull) {
      check(::posix_spawn_file_actions_addopen(&actions_, target, "/dev/null",
                                               target == 0 ? O_RDONLY : O_WRONLY, 0));
    } else if (where == Stdio::kPipe) {
      check(::posix_spawn_file_actions_adddup2(&actions_, pipe.child.get(), target));
    }
  }
  void copy(int from, int to) { check(::posix_spawn_file_actions_adddup2(&actions_, from, to)); }
  void cwd(const std::string& path) {
    check(::posix_spawn_file_actions_addchdir_np(&actions_, path.c_str()));
  }

  void attributes(bool own_group) {
    sigset_t none;
    ::sigemptyset(&none);
    check(::posix_spawnattr_setsigmask(&attributes_, &none));
    // Programs die of SIGPIPE by default, whatever this process has made of it.
    sigset_t defaults = none;
    ::sigaddset(&defaults, SIGPIPE);
    check(::posix_spawnattr_setsigdefault(&attributes_, &defaults));
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (own_group) flags |= POSIX_SPAWN_SETPGROUP;
    check(::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)));
  }

  int spawn(pid_t* pid, char* const* argv, char* const* env) noexcept {
    return ::posix_spawnp(pid, argv[0], &actions_, &attributes_, argv, env);
  }

 private:
  static void check(int error) {
    if (error != 0) throw errno_error(error, "cannot describe a child process");
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

int ask_pidfd(int pid) noexcept {
#ifdef SYS_pidfd_open
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
#else
  static_cast<void>(pid);
  return -1;
#endif
}

std::atomic<internal::OpenPidfd> open_pidfd{&ask_pidfd};

// Becomes readable when the child has ended: a thread waits for that, and closes the other end of a pipe.
Socket watch_by_thread(pid_t pid) {
  ChildPipe pipe = open_pipe(false);
  go({.name = "wait for child"}, [pid, other = std::move(pipe.child)] {
    blocking([pid] {
      siginfo_t info{};
      while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
      }
    });
  });
  return std::move(pipe.parent);
}

ExitStatus to_status(const siginfo_t& info) noexcept {
  if (info.si_code == CLD_EXITED) return {info.si_status, 0};
  return {-1, info.si_status};
}

}  // namespace

struct Process::Impl {
  void reap() noexcept;
  std::optional<ExitStatus> poll() noexcept;
  bool send(int signal) noexcept;
  /// Waits for the end; false: the deadline has come, or the context has ended.
  bool await(TimePoint deadline) noexcept;
  ExitStatus end() noexcept;

  pid_t pid = -1;
  bool own_group = false;
  std::chrono::nanoseconds grace{0};
  Stream streams[3];
  Socket ended;   // becomes readable at its end
  rt::Lock lock;  // guards status; who signals holds it too
  std::optional<ExitStatus> status;
};

// Under the lock: sets `status` if it has ended.
void Process::Impl::reap() noexcept {
  siginfo_t info{};
  int error = 0;
  do {
    error = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 ? 0 : errno;
  } while (error == EINTR);
  if (error == 0 && info.si_pid != 0) status = to_status(info);
  // Somebody else has waited for it, or SIGCHLD is ignored: how it ended cannot be known.
  if (error == ECHILD) status = ExitStatus{};
}

std::optional<ExitStatus> Process::Impl::poll() noexcept {
  std::optional<ExitStatus> result;
  {
    const std::lock_guard guard(lock);
    if (!status) reap();
    result = status;
  }
  if (result) ended.interrupt();  // the edge went to one of those who wait: the others look now
  return result;
}

bool Process::Impl::send(int signal) noexcept {
  const std::lock_guard guard(lock);
  if (!status) reap();
  return !status && ::kill(own_group ? -pid : pid, signal) == 0;
}

bool Process::Impl::await(TimePoint deadline) noexcept {
  while (!poll()) {
    if (ended.wait(rt::Direction::kRead, deadline) != 0) return poll().has_value();
  }
  return true;
}

// Asks it to end, and then does not ask.
ExitStatus Process::Impl::end() noexcept {
  const Shield shield;
  send(SIGTERM);
  if (!await(after_delay(now(), grace))) {
    send(SIGKILL);
    await(kNever);
  }
  return *poll();
}

std::string to_string(const ExitStatus& status) {
  if (status.signal == 0) return fmt::format("exit code {}", status.code);
  return fmt::format("signal {} ({})", status.signal, ::strsignal(status.signal));
}

Process::Process() noexcept = default;
Process::Process(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Process::Process(Process&&) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
  Process gone(std::exchange(impl_, std::move(other.impl_)));
  return *this;
}

Process::~Process() {
  if (impl_ == nullptr || impl_->poll()) return;
  const Shield shield;
  impl_->send(SIGKILL);
  impl_->await(kNever);
}

Process Process::spawn(const std::vector<std::string>& argv, const ProcessOptions& options) {
  if (argv.empty() || argv[0].empty())
    throw Error(Code::kInvalidArgument, "a process needs a program to run");
  internal::refuse_in_simulation("a child process");
  auto impl = std::make_unique<Impl>();
  impl->own_group = options.own_group;
  impl->grace = options.grace;
  const Stdio wanted[3] = {options.in, options.out, options.err_to_out ? Stdio::kInherit : options.err};
  ChildPipe pipes[3];
  Plan plan;
  for (int i = 0; i < 3; ++i) {
    if (wanted[i] == Stdio::kPipe) pipes[i] = open_pipe(i == 0);
    plan.stdio(i, wanted[i], pipes[i]);
    impl->streams[i] = Stream(std::move(pipes[i].parent));
  }
  if (options.err_to_out) plan.copy(1, 2);
  if (!options.cwd.empty()) plan.cwd(options.cwd);
  plan.attributes(options.own_group);
  const std::vector<char*> arguments = pointers(argv);
  const std::vector<char*> environment = options.env ? pointers(*options.env) : std::vector<char*>();
  const int error = blocking(
      [&] { return plan.spawn(&impl->pid, arguments.data(), options.env ? environment.data() : ::environ); });
  if (error != 0) throw errno_error(error, fmt::format("cannot run {}", argv[0]));
  Process process(std::move(impl));  // from here on somebody reaps it
  const int pidfd = open_pidfd.load()(process.impl_->pid);
  process.impl_->ended = pidfd >= 0 ? Socket(internal::Fd::open(pidfd, internal::FdKind::kFile))
                                    : watch_by_thread(process.impl_->pid);
  return process;
}

int Process::pid() const noexcept { return impl_ != nullptr ? impl_->pid : -1; }
Stream& Process::in() noexcept { return impl_->streams[0]; }
Stream& Process::out() noexcept { return impl_->streams[1]; }
Stream& Process::err() noexcept { return impl_->streams[2]; }

ExitStatus Process::wait() {
  if (impl_->await(kNever)) return *impl_->poll();
  impl_->end();
  rt::throw_interrupted();
}

std::optional<ExitStatus> Process::try_wait() noexcept { return impl_->poll(); }

bool Process::kill(int signal) noexcept { return impl_->send(signal); }

namespace internal {

void set_pidfd_open_for_test(OpenPidfd fn) noexcept { open_pidfd = fn != nullptr ? fn : &ask_pidfd; }

}  // namespace internal

namespace {

// What the goroutines of run_process() share.
struct Capture {
  Process& process;
  std::size_t limit;
  std::atomic<std::size_t> total{0};
  std::atomic<bool> too_much{false};

  void collect(Stream& from, std::string& into) {
    std::vector<char> buffer(16 * 1024);
    while (true) {
      const IoResult got = from.read(buffer);
      if (got.bytes == 0) return;  // the end, or run_process() gives up
      if (total.fetch_add(got.bytes) + got.bytes > limit) {
        too_much = true;
        process.kill();
        stop();
        return;
      }
      into.append(buffer.data(), got.bytes);
    }
  }
  // Others may still hold the ends of the pipes.
  void stop() noexcept {
    for (Stream* stream : {&process.in(), &process.out(), &process.err()}) stream->interrupt();
  }
};

}  // namespace

ProcessOutput run_process(const std::vector<std::string>& argv, const CaptureOptions& options) {
  ProcessOptions wanted = options.process;
  wanted.in = wanted.out = wanted.err = Stdio::kPipe;
  Process process = Process::spawn(argv, wanted);
  Capture capture{process, options.max_output};
  ProcessOutput output;
  WaitGroup group;  // its destructor waits for the goroutines
  group.go([&] {
    process.in().write(options.input);
    process.in().close();
  });
  group.go([&] { capture.collect(process.out(), output.out); });
  if (!wanted.err_to_out) group.go([&] { capture.collect(process.err(), output.err); });
  try {
    output.status = process.wait();
    group.wait();
  } catch (const Error&) {
    capture.stop();
    throw;
  }
  if (capture.too_much)
    throw Error(Code::kOutOfRange, fmt::format("{} wrote more than {} bytes", argv[0], options.max_output));
  return output;
}

}  // namespace degu::net
