// Text to values: how parameters, headers, cookies and forms become the members of a struct (Exchange::bind); small
// validators.
#pragma once

#include <degu/http/from.h>
#include <degu/http/json_codec.h>
#include <degu/http/uploaded_file.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace degu::http {

class Exchange;

/// For `validate(const T&, json::FieldErrors&)` functions. Each adds at most one fault for its field, and
/// none when the field has one already.
void require(json::FieldErrors& errors, std::string_view field, bool present);
/// Length in characters (code points), min..max.
void check_length(json::FieldErrors& errors, std::string_view field, std::string_view text, std::size_t min,
                  std::size_t max);
void check_range(json::FieldErrors& errors, std::string_view field, int64_t number, int64_t min, int64_t max);

namespace internal {

template <class T>
concept TextScalar = std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || json::DescribedEnum<T>;

template <class T>
struct IsTextTarget : std::bool_constant<TextScalar<T>> {};
template <class T>
struct IsTextTarget<std::optional<T>> : std::bool_constant<TextScalar<T>> {};
template <class T>
struct IsTextTarget<std::vector<T>> : std::bool_constant<TextScalar<T>> {};
/// What a parameter, header, cookie or form field can fill; repeated ones fill a vector.
template <class T>
concept FromTexts = IsTextTarget<T>::value;

bool text_to_bool(std::string_view text, bool& out, json::FieldErrors& errors);
bool text_to_signed(std::string_view text, int64_t min, int64_t max, int64_t& out, json::FieldErrors& errors);
bool text_to_unsigned(std::string_view text, uint64_t max, uint64_t& out, json::FieldErrors& errors);
bool text_to_double(std::string_view text, double& out, json::FieldErrors& errors);

template <TextScalar T>
void read_text(std::string_view text, T& out, json::FieldErrors& errors) {
  if constexpr (std::is_same_v<T, std::string>) {
    out.assign(text);
  } else if constexpr (std::is_same_v<T, bool>) {
    text_to_bool(text, out, errors);
  } else if constexpr (std::is_floating_point_v<T>) {
    double number = 0;
    if (text_to_double(text, number, errors)) out = static_cast<T>(number);
  } else if constexpr (std::is_enum_v<T>) {
    const auto found = json::enum_value<T>(text);
    if (!found) return errors.add("", "is not one of the allowed names");
    out = *found;
  } else if constexpr (std::is_signed_v<T>) {
    int64_t number = 0;
    if (text_to_signed(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), number, errors)) {
      out = static_cast<T>(number);
    }
  } else {
    uint64_t number = 0;
    if (text_to_unsigned(text, std::numeric_limits<T>::max(), number, errors)) out = static_cast<T>(number);
  }
}

template <TextScalar T>
void read_texts(std::span<const std::string_view> texts, T& out, json::FieldErrors& errors) {
  if (texts.size() > 1) return errors.add("", "is given more than once");
  read_text(texts.front(), out, errors);
}

template <TextScalar T>
void read_texts(std::span<const std::string_view> texts, std::optional<T>& out, json::FieldErrors& errors) {
  T value{};
  read_texts(texts, value, errors);
  out = std::move(value);
}

template <TextScalar T>
void read_texts(std::span<const std::string_view> texts, std::vector<T>& out, json::FieldErrors& errors) {
  out.clear();
  for (const std::string_view text : texts) {
    json::FieldErrors::Scope scope(errors, out.size());
    T item{};
    read_text(text, item, errors);
    out.push_back(std::move(item));
  }
}

template <class T>
struct IsFromHeader : std::false_type {};
template <class T, FixedString Name>
struct IsFromHeader<FromHeader<T, Name>> : std::true_type {};
template <class T>
struct IsFromCookie : std::false_type {};
template <class T, FixedString Name>
struct IsFromCookie<FromCookie<T, Name>> : std::true_type {};
template <class T>
inline constexpr bool kTakesFiles =
    std::is_same_v<T, UploadedFile> || std::is_same_v<T, std::optional<UploadedFile>> ||
    std::is_same_v<T, std::vector<UploadedFile>>;

template <class T>
struct IsFromBody : std::false_type {};
template <class T>
struct IsFromBody<FromBody<T>> : std::true_type {};

/// Reads itself from a body by `bool read_whole_body(const Exchange&, T&)`, found by argument-dependent lookup: false, and it
/// is left alone, when there is none; throws as Exchange::bind.
template <class T>
concept WholeBody = requires(const Exchange& c, T& out) {
  read_whole_body(c, out);
};

/// What a member takes its values as, without the wrapper that says that it must be given.
template <class T>
struct Bare {
  using Type = T;
};
template <class T>
struct Bare<json::Required<T>> {
  using Type = T;
};
template <class T>
using BareType = typename Bare<T>::Type;

/// Where the values of one request are found, behind the templates.
class BindSource {
 public:
  /// Decides by the Content-Type what the body is. Throws HttpError(415) when it is neither JSON nor a form. `body_is_taken`:
  /// it is the value of a member, and no source of others.
  BindSource(const Exchange& c, bool body_is_taken);

  const Exchange& exchange() const noexcept { return c_; }

  /// The body, when it is JSON.
  std::optional<json::Value> json() const;
  /// What the path says, or else the query, or else the form. `skip_empty`: empty fields of the form do not count.
  std::vector<std::string_view> texts(std::string_view name, bool skip_empty) const;
  /// The fields of that name, or, `as_list`, the elements of their lists. Those that are not UTF-8 are faults.
  std::vector<std::string_view> header(std::string_view name, bool as_list, json::FieldErrors& errors) const;
  std::vector<std::string_view> cookie(std::string_view name) const;
  std::vector<UploadedFile> files(std::string_view name) const;

  enum class Takes : uint8_t { kNothing, kText, kFile };
  /// Reports fields and files of the form that are not what the member of their name takes.
  template <class F>
  void check_form(json::FieldErrors& errors, F takes) const {
    check_form(errors, &takes,
               [](void* context, std::string_view name) { return (*static_cast<F*>(context))(name); });
  }

 private:
  void check_form(json::FieldErrors& errors, void* context, Takes (*takes)(void*, std::string_view)) const;

  const Exchange& c_;
  const bool body_is_taken_;
  bool is_form_ = false;
};

template <class T>
void read_files(std::vector<UploadedFile> files, T& out, json::FieldErrors& errors) {
  if constexpr (json::internal::IsVector<T>::value) {
    out = std::move(files);
  } else if (files.size() > 1) {
    errors.add("", "is given more than once");
  } else {
    out = std::move(files.front());
  }
}

/// Fills one member from everywhere but JSON; false when nothing is given.
template <class M>
bool bind_member(const BindSource& source, std::string_view name, M& member, json::FieldErrors& errors) {
  const auto take = [&](const std::vector<std::string_view>& texts, auto& out) {
    if (texts.empty()) return false;
    json::FieldErrors::Scope scope(errors, json::internal::field_name<M>(name));
    read_texts(texts, out, errors);
    return true;
  };
  if constexpr (json::internal::IsRequired<M>::value) {
    const bool given = bind_member(source, name, member.value, errors);
    member.given = member.given || given;
    return given;
  } else if constexpr (IsFromHeader<M>::value) {
    static_assert(FromTexts<decltype(member.value)>,
                  "a header fills a scalar, an optional or a vector of one");
    constexpr bool kAsList = json::internal::IsVector<decltype(member.value)>::value;
    return take(source.header(M::kName.view(), kAsList, errors), member.value);
  } else if constexpr (IsFromCookie<M>::value) {
    static_assert(FromTexts<decltype(member.value)>, "a cookie fills a scalar or an optional of one");
    return take(source.cookie(M::kName.view()), member.value);
  } else if constexpr (IsFromBody<M>::value) {
    static_assert(WholeBody<decltype(member.value)>,
                  "the whole body is a message; include degu/http/protobuf.h");
    return read_whole_body(source.exchange(), member.value);
  } else if constexpr (kTakesFiles<M>) {
    std::vector<UploadedFile> files = source.files(name);
    if (files.empty()) return false;
    json::FieldErrors::Scope scope(errors, name);
    read_files(std::move(files), member, errors);
    return true;
  } else if constexpr (FromTexts<M>) {
    constexpr bool kSkipEmpty =
        json::internal::IsOptional<M>::value && !std::is_same_v<M, std::optional<std::string>>;
    return take(source.texts(name, kSkipEmpty), member);
  } else {
    return false;
  }
}

/// How many members of T are the whole body.
template <class T>
constexpr std::size_t count_whole_bodies() {
  std::size_t count = 0;
  json::internal::each_described<T>([&](std::string_view, auto pointer) {
    using Member = BareType<std::remove_cvref_t<decltype(std::declval<T&>().*pointer)>>;
    if constexpr (IsFromBody<Member>::value) ++count;
  });
  return count;
}

template <class T>
void bind_members(const Exchange& c, T& out, json::FieldErrors& errors) {
  constexpr std::size_t kWholeBodies = count_whole_bodies<T>();
  static_assert(kWholeBodies <= 1, "a request has one body");
  const BindSource source(c, kWholeBodies == 1);
  if (const auto body = source.json()) json::internal::read_members(*body, out, errors);
  source.check_form(errors, [](std::string_view field) {
    BindSource::Takes takes = BindSource::Takes::kNothing;
    json::internal::each_described<T>([&](std::string_view name, auto pointer) {
      using Member = BareType<std::remove_cvref_t<decltype(std::declval<T&>().*pointer)>>;
      if (name != field) return;
      if constexpr (kTakesFiles<Member>) takes = BindSource::Takes::kFile;
      if constexpr (FromTexts<Member>) takes = BindSource::Takes::kText;
    });
    return takes;
  });
  json::internal::each_described<T>(
      [&](std::string_view name, auto pointer) { bind_member(source, name, out.*pointer, errors); });
  json::internal::check_required(out, errors);
}

}  // namespace internal
}  // namespace degu::http
