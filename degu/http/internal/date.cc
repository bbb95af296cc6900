#include <degu/base/time.h>
#include <degu/http/internal/date.h>

#include <array>
#include <chrono>
#include <cstring>

namespace degu::http::internal {
namespace {

constexpr std::array<std::string_view, 7> kDayNames = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonthNames = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Takes a date apart from the left. After the first mismatch all that follows fails.
class DateReader {
 public:
  explicit DateReader(std::string_view text) noexcept : left_(text) {}

  bool skip(std::string_view literal) noexcept {
    if (!left_.starts_with(literal)) return fail();
    left_.remove_prefix(literal.size());
    return ok_;
  }
  int number(std::size_t digits) noexcept {
    if (left_.size() < digits) return fail();
    int value = 0;
    for (const char c : left_.substr(0, digits)) {
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    left_.remove_prefix(digits);
    return value;
  }
  // asctime's: a blank stands for a leading zero.
  int padded_number() noexcept {
    if (!left_.starts_with(' ')) return number(2);
    left_.remove_prefix(1);
    return number(1);
  }
  void day_name(std::size_t letters) noexcept {
    for (const std::string_view name : kDayNames) {
      const std::string_view wanted = name.substr(0, letters);
      if (!left_.starts_with(wanted)) continue;
      left_.remove_prefix(wanted.size());
      return;
    }
    fail();
  }
  unsigned month() noexcept {
    for (unsigned i = 0; i < kMonthNames.size(); ++i) {
      if (!left_.starts_with(kMonthNames[i])) continue;
      left_.remove_prefix(3);
      return i + 1;
    }
    fail();
    return 0;
  }
  void time_of_day() noexcept {
    hour = number(2);
    skip(":");
    minute = number(2);
    skip(":");
    second = number(2);
  }
  bool at_end() const noexcept { return ok_ && left_.empty(); }

  int hour = 0;
  int minute = 0;
  int second = 0;

 private:
  bool fail() noexcept {
    ok_ = false;
    left_ = {};
    return false;
  }

  std::string_view left_;
  bool ok_ = true;
};

int year_of(std::time_t time) noexcept {
  const std::chrono::sys_days day =
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(time)));
  return static_cast<int>(std::chrono::year_month_day(day).year());
}

// Of two digits: the year with that ending that is at most 50 years ahead.
int full_year(int two_digits_of_it, std::time_t now) noexcept {
  const int this_year = year_of(now);
  const int year = this_year - this_year % 100 + two_digits_of_it;
  return year > this_year + 50 ? year - 100 : year;
}

void two_digits(char* out, int value) noexcept {
  out[0] = static_cast<char>('0' + value / 10 % 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

// By hand: strftime would follow the process's locale.
void format_http_date(std::time_t time, char* out) noexcept {
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", 29);
  std::memcpy(out, kDayNames[static_cast<std::size_t>(utc.tm_wday)].data(), 3);
  two_digits(out + 5, utc.tm_mday);
  std::memcpy(out + 8, kMonthNames[static_cast<std::size_t>(utc.tm_mon)].data(), 3);
  two_digits(out + 12, (utc.tm_year + 1900) / 100);
  two_digits(out + 14, (utc.tm_year + 1900) % 100);
  two_digits(out + 17, utc.tm_hour);
  two_digits(out + 20, utc.tm_min);
  two_digits(out + 23, utc.tm_sec);
}

std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) noexcept {
  DateReader reader(text);
  int year = 0;
  unsigned month = 0;
  int day = 0;
  const std::size_t comma = text.find(',');
  reader.day_name(comma > 3 && comma != std::string_view::npos ? std::string_view::npos : 3);
  if (comma == std::string_view::npos) {
    reader.skip(" ");
    month = reader.month();
    reader.skip(" ");
    day = reader.padded_number();
    reader.skip(" ");
    reader.time_of_day();
    reader.skip(" ");
    year = reader.number(4);
  } else {
    const bool is_rfc850 = comma > 3;
    const std::string_view separator = is_rfc850 ? "-" : " ";
    reader.skip(", ");
    day = reader.number(2);
    reader.skip(separator);
    month = reader.month();
    reader.skip(separator);
    year = is_rfc850 ? full_year(reader.number(2), now) : reader.number(4);
    reader.skip(" ");
    reader.time_of_day();
    reader.skip(" GMT");
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // 60: a leap second.
  if (!reader.at_end() || !date.ok() || reader.hour > 23 || reader.minute > 59 || reader.second > 60)
    return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::seconds(days).count() + reader.hour * 3600 + reader.minute * 60 + reader.second;
}

std::string_view DateCache::line() noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME_COARSE, &time);
  if (base_internal::wall_hook.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
    time.tv_sec = std::chrono::system_clock::to_time_t(wall_now());
  if (time.tv_sec != second_) {
    second_ = time.tv_sec;
    std::memcpy(line_, "Date: ", 6);
    format_http_date(time.tv_sec, line_ + 6);
    std::memcpy(line_ + 35, "\r\n", 2);
  }
  return {line_, kSize};
}

}  // namespace degu::http::internal
