// ProtoWriter: protobuf's wire format, as much of it as profiles need (protobuf.dev, "Encoding").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace degu::exporter {

/// Appends fields. Numbers are varints; negative ones take ten bytes, as int64 does. Zeros and empty messages are
/// left out only where the format's default makes that the same.
class ProtoWriter {
 public:
  void number(unsigned field, uint64_t value) {
    if (value == 0) return;
    key(field, 0);
    varint(value);
  }
  void bytes(unsigned field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    out_ += value;
  }
  void message(unsigned field, const ProtoWriter& value) { bytes(field, value.out_); }
  template <class Numbers>
  void packed(unsigned field, const Numbers& numbers) {
    ProtoWriter all;
    for (const auto number : numbers) all.varint(static_cast<uint64_t>(number));
    if (!all.out_.empty()) bytes(field, all.out_);
  }

  std::string take() { return std::move(out_); }

 private:
  void key(unsigned field, unsigned wire_type) { varint(uint64_t{field} << 3 | wire_type); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }

  std::string out_;
};

}  // namespace degu::exporter
