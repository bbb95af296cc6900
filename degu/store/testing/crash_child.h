// CrashChild: a test of this executable, run as another process that is killed without warning.
#pragma once

#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace degu::store::testing {

/// Runs one DISABLED_ test of the same executable, e.g. "DISABLED_Child.Writes", in a process of its own
/// whose working directory is `dir`. `argument` is left there in a file; the child reads it with
/// crash_argument(). Use it outside degu::run.
class CrashChild {
 public:
  CrashChild(std::string_view test, const std::string& dir, std::string_view argument = "child") {
    std::ofstream(dir + "/argument") << argument;
    std::string program = "/proc/self/exe";
    std::string filter = fmt::format("--gtest_filter={}", test);
    std::string disabled = "--gtest_also_run_disabled_tests";
    std::string brief = "--gtest_brief=1";
    char* const argv[] = {program.data(), filter.data(), disabled.data(), brief.data(), nullptr};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, dir.c_str());
    const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error(fmt::format("cannot start {}: error {}", test, error));
  }
  /// Kills and reaps it if that has not happened.
  ~CrashChild() {
    if (pid_ > 0) kill();
  }
  CrashChild(const CrashChild&) = delete;
  CrashChild& operator=(const CrashChild&) = delete;

  /// SIGKILL, and waits for its end.
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  /// Waits for its end; the exit status, or minus the signal that killed it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  int pid_ = -1;
};

/// The argument given to the CrashChild that this process is; "" if it is none.
inline std::string crash_argument() {
  std::string argument;
  std::getline(std::ifstream("argument"), argument);
  return argument;
}

}  // namespace degu::store::testing
