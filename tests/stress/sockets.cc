// An echo server on loopback and clients that hang up, time out or are cancelled at any time: a reply is what was sent.
#include <degu/degu.h>
#include <degu/net/tcp.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>

#include "round.h"

namespace stress {
namespace {

using namespace std::chrono_literals;
using degu::net::TcpListener;
using degu::net::TcpStream;

void echo(TcpStream stream) {
  char buffer[4096];
  for (;;) {
    const auto got = stream.read(buffer);
    if (got.error != 0 || got.bytes == 0) return;
    if (stream.write(std::span<const char>(buffer, got.bytes)).error != 0) return;
  }
}

void serve(TcpListener& listener, degu::WaitGroup& connections) {
  for (;;) {
    TcpStream stream;
    try {
      stream = listener.accept();
    } catch (const degu::Error& error) {
      check(error.code() == degu::Code::kCancelled || error.code() == degu::Code::kResourceExhausted,
            "accept: {}", error.what());
      if (error.code() == degu::Code::kCancelled) return;
      degu::yield();
      continue;
    }
    connections.go([stream = std::move(stream)]() mutable { echo(std::move(stream)); });
  }
}

std::string message(Random& random) {
  std::string text(static_cast<std::size_t>(between(random, 1, 20'000)), '\0');
  for (char& c : text) c = static_cast<char>(random.next());
  return text;
}

/// Sends and receives at once, so that neither buffer can fill up for good. False: the connection ended first.
bool round_trip(TcpStream& stream, const std::string& text, degu::TimePoint deadline) {
  degu::WaitGroup writing;
  bool written = false;
  writing.go([&] { written = stream.write(text, deadline).error == 0; });
  std::string reply;
  char buffer[4096];
  bool failed = false;
  while (reply.size() < text.size() && !failed) {
    const auto got = stream.read(buffer, deadline);
    failed = got.error != 0 || got.bytes == 0;
    if (!failed) reply.append(buffer, got.bytes);
  }
  if (failed) stream.interrupt();
  writing.wait();
  check(text.compare(0, reply.size(), reply) == 0, "the echo differs within its {} bytes", reply.size());
  return written && !failed;
}

void talk(Round& round, Random& random, const std::string& address) {
  TcpStream stream = TcpStream::connect(address);
  const bool calm = one_in(random, 2);
  const int messages = between(random, 1, 20);
  for (int i = 0; i < messages && !round.over(); ++i) {
    const auto deadline = calm ? degu::kNever : degu::now() + std::chrono::microseconds(random.below(3000));
    const bool done = round_trip(stream, message(random), deadline);
    check(done || !calm, "a connection that nobody disturbed ended");
    if (!done) return;
    round.operations.fetch_add(1, std::memory_order_relaxed);
  }
}

void client(Round& round, Random random, const std::string& address) {
  while (!round.over()) {
    try {
      talk(round, random, address);
    } catch (const degu::Error& error) {
      fail(fmt::format("client: {}", error.what()));
    }
  }
}

/// Cut short by its context at any point, connecting included.
void doomed_client(Round& round, Random random, const std::string& address) {
  while (!round.over()) {
    try {
      const degu::CancelScope scope(std::chrono::microseconds(random.below(2000)));
      TcpStream stream = TcpStream::connect(address);
      round_trip(stream, message(random), degu::kNever);
    } catch (const degu::Cancelled&) {
    } catch (const degu::DeadlineExceeded&) {
    }
    round.operations.fetch_add(1, std::memory_order_relaxed);
    degu::yield();
  }
}

}  // namespace

void sockets(Round& round, Random random) {
  auto listener = TcpListener::listen("127.0.0.1:0");
  const std::string address = listener.address();
  degu::WaitGroup connections;
  degu::WaitGroup serving;
  serving.go([&] { serve(listener, connections); });
  degu::WaitGroup clients;
  const int count = between(random, 1, 16);
  for (int i = 0; i < count; ++i) {
    const bool doomed = one_in(random, 3);
    clients.go([&round, &address, doomed, random = Random(random.next())] {
      doomed ? doomed_client(round, random, address) : client(round, random, address);
    });
  }
  clients.wait();
  listener.interrupt();
  serving.wait();
  connections.wait();
}

}  // namespace stress
