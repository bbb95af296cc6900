// A buffered channel takes what fits without a receiver; an unbuffered one hands over from hand to hand.
#include <degu/degu.h>
#include <fmt/core.h>

#include <string>

int main() {
  return degu::run([] {
    auto tasks = degu::make_chan<std::string>(3);
    tasks.send("task1");
    tasks.send("task2");  // neither waits: the buffer has room
    fmt::print("{} of {} buffered\n", tasks.len(), tasks.cap());
    fmt::print("{}\n", *tasks.recv());

    auto numbers = degu::make_chan<int>(3);
    degu::go([numbers] {
      for (int i = 1; i <= 3; ++i) numbers.send(i);
      numbers.close();
    });
    for (int number : numbers) fmt::print("{}\n", number);

    auto handshake = degu::make_chan<int>();  // unbuffered: send returns when somebody has received
    degu::go([handshake] { handshake.send(42); });
    fmt::print("{}\n", *handshake.recv());
    fmt::print("room without a receiver: {}\n", handshake.try_send(1));
  });
}
