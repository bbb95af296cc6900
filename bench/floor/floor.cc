// What the kernel alone costs for a small answer: two processes with a listening socket each that answer whatever arrives, by
// epoll with one recv() and one send(), or by io_uring with a ring each, multishot accept and receive, provided buffers
// and sends without completion. Nothing is parsed, nothing checked: not a server. usage: bench_floor epoll|io_uring PORT
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Content-Length: 4\r\n\r\npong";

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

int listen_on(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (::listen(fd, 4096) != 0) fail("listen");
  return fd;
}

void send_at_once(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void serve_by_epoll(uint16_t port) {
  const int listener = listen_on(port);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const auto watch = [&](int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener, EPOLLIN);
  std::array<epoll_event, 256> events;
  std::array<char, 4096> buffer;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        send_at_once(accepted);
        watch(accepted, EPOLLIN | EPOLLET | EPOLLRDHUP);
      } else if (::recv(fd, buffer.data(), buffer.size(), 0) <= 0) {
        ::close(fd);
      } else {
        ::send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      }
    }
  }
}

class Ring {
 public:
  Ring() {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 8192;
    if (io_uring_queue_init_params(1024, &ring_, &params) < 0) fail("io_uring");
    io_uring_register_ring_fd(&ring_);
    io_uring_buf_reg buffers{};
    entries_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, kBuffers * sizeof(io_uring_buf)));
    std::memset(entries_, 0, kBuffers * sizeof(io_uring_buf));
    buffers.ring_addr = reinterpret_cast<uint64_t>(entries_);
    buffers.ring_entries = kBuffers;
    if (io_uring_register_buf_ring(&ring_, &buffers, 0) != 0) fail("provided buffers");
    for (uint16_t i = 0; i < kBuffers; ++i) give_back(i);
  }

  void serve(uint16_t port) {
    io_uring_sqe* accept = next();
    io_uring_prep_multishot_accept(accept, listen_on(port), nullptr, nullptr, 0);
    accept->user_data = kAccept;
    while (true) {
      io_uring_submit_and_wait(&ring_, 1);
      io_uring_cqe* done = nullptr;
      unsigned head = 0;
      unsigned count = 0;
      io_uring_for_each_cqe(&ring_, head, done) {
        ++count;
        take(*done);
      }
      io_uring_cq_advance(&ring_, count);
    }
  }

 private:
  static constexpr uint16_t kBuffers = 1024;
  static constexpr std::size_t kBufferBytes = 2048;
  enum Kind : uint8_t { kAccept = 1, kReceive, kSend };

  io_uring_sqe* next() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }

  void give_back(uint16_t buffer) {
    io_uring_buf_ring_add(entries_, memory_.data() + buffer * kBufferBytes, kBufferBytes, buffer,
                          io_uring_buf_ring_mask(kBuffers), 0);
    io_uring_buf_ring_advance(entries_, 1);
  }

  void receive(int fd) {
    io_uring_sqe* entry = next();
    io_uring_prep_recv(entry, fd, nullptr, 0, 0);
    entry->ioprio |= IORING_RECV_MULTISHOT;
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->user_data = static_cast<uint64_t>(fd) << 8 | kReceive;
  }

  void answer(int fd) {
    io_uring_sqe* entry = next();
    io_uring_prep_send(entry, fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_WAITALL);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = kSend;
  }

  void take(const io_uring_cqe& done) {
    const int fd = static_cast<int>(done.user_data >> 8);
    switch (done.user_data & 0xff) {
      case kAccept:
        if (done.res < 0) return;
        send_at_once(done.res);
        return receive(done.res);
      case kReceive:
        if (done.res <= 0) return done.res == -ENOBUFS ? receive(fd) : static_cast<void>(::close(fd));
        give_back(static_cast<uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT));
        answer(fd);
        if ((done.flags & IORING_CQE_F_MORE) == 0) receive(fd);
        return;
      default:
        return;
    }
  }

  io_uring ring_{};
  io_uring_buf_ring* entries_ = nullptr;
  std::vector<char> memory_ = std::vector<char>(kBuffers * kBufferBytes);
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view how = argc == 3 ? argv[1] : "";
  if (how != "epoll" && how != "io_uring") {
    std::fputs("usage: bench_floor epoll|io_uring PORT\n", stderr);
    return 2;
  }
  const auto port = static_cast<uint16_t>(std::atoi(argv[2]));
  if (::fork() == 0) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  how == "epoll" ? serve_by_epoll(port) : Ring().serve(port);
}
