#include "response_parser.h"

#include <algorithm>
#include <charconv>

namespace degu::bench {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kMaxBodyKept = 1024 * 1024;
constexpr std::size_t kMaxLine = 1024;  // of a chunk extension

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

int hex(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

}  // namespace

void ResponseParser::start(bool to_head, std::string* body) {
  state_ = State::kMore;
  part_ = Part::kHead;
  to_head_ = to_head;
  untouched_ = true;
  status_ = 0;
  head_.clear();
  body_ = body;
  if (body_ != nullptr) body_->clear();
}

void ResponseParser::fail(std::string_view why) noexcept {
  state_ = State::kBad;
  error_ = why;
}

ResponseParser::State ResponseParser::close() noexcept {
  keep_alive_ = false;
  if (state_ == State::kMore && part_ == Part::kUntilClose) state_ = State::kDone;
  return state_;
}

std::size_t ResponseParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (state_ == State::kMore && used < bytes.size()) {
    untouched_ = false;
    const std::string_view rest = bytes.substr(used);
    used += part_ == Part::kHead ? feed_head(rest) : feed_body(rest);
  }
  return used;
}

std::size_t ResponseParser::feed_head(std::string_view bytes) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  if (head_.empty()) {
    const std::size_t end = bytes.find(kEnd);
    if (end != std::string_view::npos) {
      parse_head(bytes.substr(0, end + 2));
      return end + kEnd.size();
    }
  }
  const std::size_t known = head_.size();
  head_.append(bytes.substr(0, kMaxHead + 1));
  const std::size_t end = head_.find(kEnd, known < 3 ? 0 : known - 3);
  if (end == std::string::npos) {
    if (head_.size() > kMaxHead) fail("a head of more than 64 KiB");
    return bytes.size();
  }
  parse_head(std::string_view(head_).substr(0, end + 2));
  head_.clear();
  return end + kEnd.size() - known;
}

void ResponseParser::parse_head(std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const bool good = line.size() >= 12 && line.starts_with("HTTP/1.") && is_digit(line[7]) && line[8] == ' ' &&
                    line[9] >= '1' && line[9] <= '9' && is_digit(line[10]) && is_digit(line[11]) &&
                    (line.size() == 12 || line[12] == ' ');
  if (!good) return fail("a bad status line");
  status_ = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  keep_alive_ = line[7] != '0';
  chunked_ = has_length_ = false;
  left_ = 0;
  head.remove_prefix(line.size() + 2);
  while (!head.empty() && state_ == State::kMore) {
    const std::string_view field = head.substr(0, head.find("\r\n"));
    head.remove_prefix(field.size() + 2);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos || colon == 0 || field[0] == ' ' || field[0] == '\t' ||
        field[colon - 1] == ' ') {
      return fail("a bad header field");
    }
    on_field(field.substr(0, colon), trimmed(field.substr(colon + 1)));
  }
  if (state_ == State::kMore) body_follows();
}

void ResponseParser::on_field(std::string_view name, std::string_view value) {
  // By length first: most fields are of no interest.
  if (name.size() == 14 && same(name, "content-length")) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), left_);
    if (value.empty() || !is_digit(value[0]) || error != std::errc{} || end != value.data() + value.size() ||
        has_length_) {
      return fail("a bad Content-Length");
    }
    has_length_ = true;
  } else if (name.size() == 17 && same(name, "transfer-encoding")) {
    if (chunked_ || !same(value, "chunked")) return fail("a bad Transfer-Encoding");
    chunked_ = true;
  } else if (name.size() == 10 && same(name, "connection")) {
    on_connection(value);
  }
}

void ResponseParser::on_connection(std::string_view value) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view option = trimmed(value.substr(0, comma));
    if (same(option, "close")) keep_alive_ = false;
    if (same(option, "keep-alive")) keep_alive_ = true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
}

void ResponseParser::body_follows() {
  if (chunked_ && has_length_) return fail("both Content-Length and Transfer-Encoding");
  if (status_ == 101) return fail("an answer that leaves HTTP");
  if (status_ < 200) return;  // the final head follows
  if (to_head_ || status_ == 204 || status_ == 304) {
    state_ = State::kDone;
  } else if (chunked_) {
    part_ = Part::kChunkSize;
    digits_seen_ = false;
    line_ = trailers_ = 0;
  } else if (!has_length_) {
    part_ = Part::kUntilClose;
    keep_alive_ = false;
  } else if (left_ == 0) {
    state_ = State::kDone;
  } else {
    part_ = Part::kFixed;
  }
}

std::size_t ResponseParser::feed_body(std::string_view bytes) {
  if (part_ != Part::kFixed && part_ != Part::kUntilClose && part_ != Part::kChunkData)
    return feed_chunked(bytes);
  std::size_t count = bytes.size();
  if (part_ != Part::kUntilClose) {
    count = static_cast<std::size_t>(std::min<uint64_t>(count, left_));
    left_ -= count;
  }
  if (body_ != nullptr)
    body_->append(bytes.substr(0, std::min(count, kMaxBodyKept - std::min(kMaxBodyKept, body_->size()))));
  if (left_ == 0 && part_ == Part::kFixed) state_ = State::kDone;
  if (left_ == 0 && part_ == Part::kChunkData) part_ = Part::kChunkEnd;
  return count;
}

std::size_t ResponseParser::feed_chunked(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && state_ == State::kMore && part_ != Part::kChunkData) {
    const char byte = bytes[used++];
    if (part_ == Part::kChunkSize) {
      chunk_size_byte(byte);
    } else if (part_ == Part::kChunkExtension) {
      if (byte == '\n') {
        chunk_starts();
      } else if (++line_ > kMaxLine) {
        fail("a chunk extension of more than 1 KiB");
      }
    } else if (part_ == Part::kTrailer) {
      trailer_byte(byte);
    } else if (byte != (line_ == 0 ? '\r' : '\n')) {
      fail("a chunk that is longer than its size");
    } else if (line_++ == 1) {
      part_ = Part::kChunkSize;
      digits_seen_ = false;
      left_ = line_ = 0;
    }
  }
  return used;
}

void ResponseParser::chunk_size_byte(char byte) {
  const int digit = hex(byte);
  if (digit >= 0) {
    if (left_ >> 60 != 0) return fail("a chunk size beyond 64 bits");
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    digits_seen_ = true;
  } else if (!digits_seen_ || (byte != '\r' && byte != ';' && byte != ' ' && byte != '\t')) {
    fail("a bad chunk size");
  } else {
    part_ = Part::kChunkExtension;
  }
}

void ResponseParser::chunk_starts() {
  line_ = 0;
  part_ = left_ == 0 ? Part::kTrailer : Part::kChunkData;
}

void ResponseParser::trailer_byte(char byte) {
  if (++trailers_ > kMaxHead) return fail("trailers of more than 64 KiB");
  if (byte == '\n') {
    if (line_ == 0) state_ = State::kDone;
    line_ = 0;
  } else if (byte != '\r') {
    ++line_;
  }
}

}  // namespace degu::bench
