#include <degu/rpc/internal/time_text.h>

#include <cstdint>
#include <limits>

namespace degu::rpc::codec::internal {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Reads from the front of a text; after a failure everything fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  // Exactly `count` digits.
  int digits(int count) {
    int value = 0;
    for (int i = 0; i < count; ++i) {
      if (text_.empty() || text_.front() < '0' || text_.front() > '9') return fail();
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    return value;
  }

  bool accept(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail();
  }

  // Up to nine digits as nanoseconds.
  int64_t fraction() {
    int64_t value = 0;
    int64_t scale = 1'000'000'000;
    while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
      if (scale == 1) return fail();
      value = value * 10 + (text_.front() - '0');
      scale /= 10;
      text_.remove_prefix(1);
    }
    if (scale == 1'000'000'000) return fail();
    return value * scale;
  }

  // Any number of digits up to `max`.
  int64_t number(int64_t max) {
    if (text_.empty() || text_.front() < '0' || text_.front() > '9') return fail();
    int64_t value = 0;
    while (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
      value = value * 10 + (text_.front() - '0');
      if (value > max) return fail();
      text_.remove_prefix(1);
    }
    return value;
  }

  bool done() const { return ok_ && text_.empty(); }

 private:
  int fail() {
    ok_ = false;
    text_ = {};
    return 0;
  }

  std::string_view text_;
  bool ok_ = true;
};

void append_fraction(TimeText& out, uint64_t nanos) {
  if (nanos == 0) return;
  out.append('.');
  if (nanos % 1'000'000 == 0) {
    out.append(nanos / 1'000'000, 3);
  } else if (nanos % 1'000 == 0) {
    out.append(nanos / 1'000, 6);
  } else {
    out.append(nanos, 9);
  }
}

// seconds and a non-negative fraction as nanoseconds; nothing when these do not fit into 64 bits.
std::optional<std::chrono::nanoseconds> combine(int64_t whole, int64_t nanos) {
  int64_t total = 0;
  if (__builtin_mul_overflow(whole, int64_t{1'000'000'000}, &total)) return std::nullopt;
  if (__builtin_add_overflow(total, nanos, &total)) return std::nullopt;
  return std::chrono::nanoseconds(total);
}

}  // namespace

void TimeText::append(uint64_t value, size_t width) noexcept {
  char digits[20];
  size_t count = 0;
  for (; value != 0 || count < width; value /= 10) digits[count++] = static_cast<char>('0' + value % 10);
  while (count > 0) append(digits[--count]);
}

TimeText format_timestamp(Timestamp time) {
  // By way of seconds: the midnight before the earliest time is out of reach of nanoseconds.
  const int64_t count = time.time_since_epoch().count();
  const int64_t nanos = (count % 1'000'000'000 + 1'000'000'000) % 1'000'000'000;
  const std::chrono::sys_seconds whole(seconds(count / 1'000'000'000 - (count % 1'000'000'000 < 0 ? 1 : 0)));
  const auto day = std::chrono::floor<days>(whole);
  const std::chrono::year_month_day date(day);
  const auto second = static_cast<uint64_t>((whole - day).count());
  TimeText out;
  out.append(static_cast<uint64_t>(static_cast<int>(date.year())), 4);
  out.append('-');
  out.append(static_cast<unsigned>(date.month()), 2);
  out.append('-');
  out.append(static_cast<unsigned>(date.day()), 2);
  out.append('T');
  out.append(second / 3600, 2);
  out.append(':');
  out.append(second / 60 % 60, 2);
  out.append(':');
  out.append(second % 60, 2);
  append_fraction(out, static_cast<uint64_t>(nanos));
  out.append('Z');
  return out;
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  Scanner in(text);
  const int year = in.digits(4);
  in.expect('-');
  const int month = in.digits(2);
  in.expect('-');
  const int day = in.digits(2);
  if (!in.accept('T') && !in.accept('t')) return std::nullopt;
  const int hour = in.digits(2);
  in.expect(':');
  const int minute = in.digits(2);
  in.expect(':');
  const int second = in.digits(2);
  const int64_t nanos = in.accept('.') ? in.fraction() : 0;
  int offset_minutes = 0;
  if (!in.accept('Z') && !in.accept('z')) {
    const int sign = in.accept('-') ? -1 : in.accept('+') ? 1 : 0;
    const int offset_hour = in.digits(2);
    in.expect(':');
    const int offset_minute = in.digits(2);
    if (sign == 0 || offset_hour > 23 || offset_minute > 59) return std::nullopt;
    offset_minutes = sign * (offset_hour * 60 + offset_minute);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!in.done() || !date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::chrono::sys_seconds whole =
      std::chrono::sys_days(date) + hours(hour) + minutes(minute) + seconds(second) - minutes(offset_minutes);
  const auto since_epoch = combine(whole.time_since_epoch().count(), nanos);
  if (!since_epoch) return std::nullopt;
  return Timestamp(*since_epoch);
}

TimeText format_duration(Duration duration) {
  const int64_t count = duration.count();
  TimeText out;
  if (count < 0) out.append('-');
  // The magnitude of the smallest value has no int64; unsigned arithmetic has it.
  const uint64_t magnitude = count < 0 ? 0 - static_cast<uint64_t>(count) : static_cast<uint64_t>(count);
  out.append(magnitude / 1'000'000'000, 1);
  append_fraction(out, magnitude % 1'000'000'000);
  out.append('s');
  return out;
}

std::optional<Duration> parse_duration(std::string_view text) {
  Scanner in(text);
  const bool negative = in.accept('-');
  constexpr int64_t kMaxSeconds = std::numeric_limits<int64_t>::max() / 1'000'000'000;
  const int64_t whole = in.number(kMaxSeconds);
  const int64_t nanos = in.accept('.') ? in.fraction() : 0;
  in.expect('s');
  if (!in.done()) return std::nullopt;
  return negative ? combine(-whole, -nanos) : combine(whole, nanos);
}

}  // namespace degu::rpc::codec::internal
