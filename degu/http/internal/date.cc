#include <degu/base/time.h>
#include <degu/http/internal/date.h>

#include <cstring>

namespace degu::http::internal {
namespace {

void two_digits(char* out, int value) noexcept {
  out[0] = static_cast<char>('0' + value / 10 % 10);
  out[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

// By hand: strftime would follow the process's locale.
void format_http_date(std::time_t time, char* out) noexcept {
  constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  std::tm utc{};
  gmtime_r(&time, &utc);
  std::memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", 29);
  std::memcpy(out, kDays.data() + 3 * utc.tm_wday, 3);
  two_digits(out + 5, utc.tm_mday);
  std::memcpy(out + 8, kMonths.data() + 3 * utc.tm_mon, 3);
  two_digits(out + 12, (utc.tm_year + 1900) / 100);
  two_digits(out + 14, (utc.tm_year + 1900) % 100);
  two_digits(out + 17, utc.tm_hour);
  two_digits(out + 20, utc.tm_min);
  two_digits(out + 23, utc.tm_sec);
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
