// The handler may touch atomics and write(2) only: a fixed array of subscribers, each with a mask, a word of pending
// signals and an eventfd. Who unsubscribes takes its mask away and waits until no handler runs that may have seen it;
// then the eventfd can be closed.
#include <degu/base/assert.h>
#include <degu/base/error.h>
#include <degu/context/cancel_scope.h>
#include <degu/net/internal/fd.h>
#include <degu/net/internal/network.h>
#include <degu/net/signal.h>
#include <degu/rt/lock.h>
#include <degu/rt/park.h>
#include <degu/rt/run.h>
#include <degu/sync/mutex.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cctype>
#include <cerrno>
#include <mutex>
#include <string>
#include <utility>

namespace degu::net {
namespace {

constexpr int kMaxSignal = 64;
constexpr std::size_t kMaxSubscribers = 64;

struct Subscriber {
  std::atomic<uint64_t> mask{0};     // bit n: wants signal n; 0: nobody
  std::atomic<uint64_t> pending{0};  // bit n: signal n has come
  std::atomic<int> event_fd{-1};
  bool taken = false;  // guarded by the table's lock
};

struct Table {
  std::array<Subscriber, kMaxSubscribers> subscribers;
  std::atomic<uint32_t> handlers{0};  // that run now
  rt::Lock lock;                      // guards what follows, and all changes of masks and handlers
  uint64_t ours = 0;                  // bit n: signal n has our handler
  uint64_t known = 0;                 // bit n: `first` has what the program started with
  std::array<struct sigaction, kMaxSignal> first;
  std::array<struct sigaction, kMaxSignal> former;  // what holds again when nobody wants the signal any more
};

// Made before the first handler is installed, and never freed.
std::atomic<Table*> the_table{nullptr};

Table& table() {
  static Table* made = [] {
    auto* t = new Table;
    the_table.store(t, std::memory_order_release);
    return t;
  }();
  return *made;
}

constexpr uint64_t bit(int signal) noexcept { return 1ULL << signal; }

uint64_t mask_of(std::initializer_list<int> signals) {
  uint64_t mask = 0;
  for (const int signal : signals) {
    const bool fatal = signal == SIGKILL || signal == SIGSTOP || signal == SIGSEGV || signal == SIGBUS ||
                       signal == SIGFPE || signal == SIGILL;
    DEGU_CHECK(signal > 0 && signal < kMaxSignal && !fatal, "signal {} cannot be waited for", signal);
    mask |= bit(signal);
  }
  return mask;
}

// "interrupt", as Go names it.
std::string name_of(int signal) {
  std::string name = ::strsignal(signal);
  name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
  return name;
}

template <class F>
void for_each_signal(uint64_t mask, F f) {
  for (; mask != 0; mask &= mask - 1) f(std::countr_zero(mask));
}

void on_signal(int signal) {
  const int saved = errno;
  Table& t = *the_table.load(std::memory_order_acquire);
  t.handlers.fetch_add(
      1, std::memory_order_seq_cst);  // against silence(): either it waits for us, or we see its mask
  for (Subscriber& s : t.subscribers) {
    if ((s.mask.load(std::memory_order_seq_cst) & bit(signal)) == 0) continue;
    s.pending.fetch_or(bit(signal), std::memory_order_release);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(s.event_fd.load(std::memory_order_relaxed), &one, sizeof one);
  }
  t.handlers.fetch_sub(1, std::memory_order_seq_cst);
  errno = saved;
}

// Under the lock.
void install(Table& t, int signal) noexcept {
  if ((t.ours & bit(signal)) != 0) return;
  struct sigaction action {};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_RESTART;
  const auto at = static_cast<std::size_t>(signal);
  ::sigaction(signal, &action, &t.former[at]);
  if ((t.known & bit(signal)) == 0) t.first[at] = t.former[at];
  t.known |= bit(signal);
  t.ours |= bit(signal);
}

// Under the lock.
void restore(Table& t, int signal) noexcept {
  if ((t.ours & bit(signal)) != 0) ::sigaction(signal, &t.former[static_cast<std::size_t>(signal)], nullptr);
  t.ours &= ~bit(signal);
}

uint64_t wanted(const Table& t) noexcept {
  uint64_t all = 0;
  for (const Subscriber& s : t.subscribers) all |= s.mask.load(std::memory_order_relaxed);
  return all;
}

std::size_t add(uint64_t mask, int event_fd) {
  Table& t = table();
  const std::lock_guard guard(t.lock);
  for (std::size_t i = 0; i < kMaxSubscribers; ++i) {
    Subscriber& s = t.subscribers[i];
    if (s.taken) continue;
    s.taken = true;
    s.pending.store(0, std::memory_order_relaxed);
    s.event_fd.store(event_fd, std::memory_order_relaxed);
    s.mask.store(mask, std::memory_order_seq_cst);
    for_each_signal(mask, [&](int signal) { install(t, signal); });
    return i;
  }
  throw Error(
      Code::kResourceExhausted,
      fmt::format("more than {} subscribers of signals; let one of them pass signals on", kMaxSubscribers));
}

// The subscriber gets nothing more; its eventfd may be closed.
void silence(std::size_t slot) noexcept {
  Table& t = table();
  const std::lock_guard guard(t.lock);
  const uint64_t mask = t.subscribers[slot].mask.exchange(0, std::memory_order_seq_cst);
  for_each_signal(mask & ~wanted(t), [&](int signal) { restore(t, signal); });
  while (t.handlers.load(std::memory_order_seq_cst) != 0) ::sched_yield();
}

void remove(std::size_t slot) noexcept {
  silence(slot);
  Table& t = table();
  const std::lock_guard guard(t.lock);
  t.subscribers[slot].taken = false;
}

// Takes the signals from everybody.
void withdraw(Table& t, uint64_t mask) noexcept {
  for (Subscriber& s : t.subscribers) {
    s.mask.fetch_and(~mask, std::memory_order_seq_cst);
    s.pending.fetch_and(~mask, std::memory_order_relaxed);
  }
}

}  // namespace

SignalSet::SignalSet(std::initializer_list<int> signals) {
  const uint64_t mask = mask_of(signals);
  if (internal::Network* network = internal::current_network(); network != nullptr) {
    const auto [reader, writer] = network->pipe();
    events_ = Socket(reader);
    silent_ = Socket(writer);
    slot_ = kMaxSubscribers;
    return;
  }
  events_ = Socket(internal::Fd::open(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), internal::FdKind::kFile));
  slot_ = add(mask, events_.fd());
}

SignalSet::~SignalSet() {
  if (slot_ != kMaxSubscribers) remove(slot_);
}

void SignalSet::stop() noexcept {
  if (slot_ != kMaxSubscribers) silence(slot_);
  events_.close();
}

int SignalSet::wait() {
  Subscriber* const s = slot_ != kMaxSubscribers ? &table().subscribers[slot_] : nullptr;
  while (true) {
    const uint64_t pending = s != nullptr ? s->pending.load(std::memory_order_acquire) : 0;
    if (pending != 0) {
      const int signal = std::countr_zero(pending);
      if ((s->pending.fetch_and(~bit(signal), std::memory_order_acq_rel) & bit(signal)) != 0) return signal;
      continue;
    }
    uint64_t count = 0;
    const IoResult got = events_.read({reinterpret_cast<char*>(&count), sizeof count}, kNever);
    if (got.error == ECANCELED) rt::throw_interrupted();
    if (got.error != 0) throw Error(Code::kCancelled, "the wait for signals was ended");
  }
}

// The goroutine that passes signals on, and those who stop it.
struct SignalNotify::State {
  State(SendChan<int> c, std::initializer_list<int> list) : channel(std::move(c)), signals(list) {}

  SendChan<int> channel;
  SignalSet signals;
  Mutex mutex;  // held while it sends
  bool stopped = false;
};

SignalNotify::SignalNotify(SendChan<int> channel, std::initializer_list<int> signals)
    : state_(std::make_shared<State>(std::move(channel), signals)) {
  const ContextScope background{Context::background()};
  go({.name = "signal notify"}, [state = state_] {
    try {
      while (true) {
        const int signal = state->signals.wait();
        const std::lock_guard guard(state->mutex);
        if (state->stopped) return;
        static_cast<void>(state->channel.try_send(signal));
      }
    } catch (const Error&) {
      return;  // stopped, or the channel was closed
    }
  });
}

void SignalNotify::stop() noexcept {
  {
    const std::lock_guard guard(state_->mutex);
    state_->stopped = true;
  }
  state_->signals.stop();
}

struct NotifyContext::State {
  explicit State(std::initializer_list<int> list) : signals(list) {}

  SignalSet signals;
};

NotifyContext::NotifyContext(const Context& parent, std::initializer_list<int> signals) {
  auto [context, cancel] = with_cancel_cause(parent);
  context_ = context;
  if (context_.done()) return;
  state_ = std::make_shared<State>(signals);
  const ContextScope scope(context_);
  watcher_.add();
  go({.name = "notify context"}, [this, state = state_, end = cancel] {
    try {
      const int signal = state->signals.wait();
      end(Error(Code::kCancelled, name_of(signal) + " signal received"));
    } catch (const Error&) {
      // the context has ended otherwise
    }
    state->signals.stop();
    watcher_.done();
  });
}

void NotifyContext::stop() noexcept {
  if (rt::CancelNode* node = context_.node(); node != nullptr) node->cancel(Code::kCancelled);
  if (state_ != nullptr) state_->signals.stop();
}

void ignore_signals(std::initializer_list<int> signals) {
  const uint64_t mask = mask_of(signals);
  Table& t = table();
  const std::lock_guard guard(t.lock);
  withdraw(t, mask);
  for_each_signal(mask, [&](int signal) {
    install(t, signal);  // keeps what there was first
    struct sigaction action {};
    action.sa_handler = SIG_IGN;
    ::sigaction(signal, &action, nullptr);
    t.ours &= ~bit(signal);
  });
}

bool signal_ignored(int signal) noexcept {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void reset_signals(std::initializer_list<int> signals) {
  const uint64_t mask = mask_of(signals);
  Table& t = table();
  const std::lock_guard guard(t.lock);
  withdraw(t, mask);
  for_each_signal(mask & t.known, [&](int signal) {
    ::sigaction(signal, &t.first[static_cast<std::size_t>(signal)], nullptr);
  });
  t.ours &= ~mask;
}

}  // namespace degu::net
