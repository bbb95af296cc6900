// FromHeader, FromCookie, FromBody: members of a bound struct that come from a header field, a cookie, the whole body.
#pragma once

#include <degu/http/fixed_string.h>
#include <degu/http/json_codec.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace degu::http {

namespace internal {

// RFC 9110 section 5.6.2, for names that are known at compile time.
constexpr bool is_name_literal(std::string_view name) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

}  // namespace internal

/// A member that Exchange::bind fills from the header of that name, and from nowhere else. T is what a query parameter
/// may be: a scalar, an optional of one, or a vector, which takes the elements of the comma-separated list (RFC 9110
/// section 5.6.1) of all fields of that name; for a scalar a second field is a fault. Absent: it keeps its default,
/// or is a fault if it is Required. Faults are reported under the header's name. Used like a pointer to T, or as a T
/// where one is expected.
///
///   struct Search {
///     std::string text;                                        // from the query
///     FromHeader<std::optional<std::string>, "X-Trace"> trace;
///     json::Required<FromHeader<int, "X-Tenant">> tenant;
///     FromCookie<Theme, "theme"> theme;
///   };
template <class T, FixedString Name>
struct FromHeader {
  static_assert(internal::is_name_literal(Name.view()), "the name of a header is a token");
  static constexpr auto kName = Name;
  T value{};

  const T& operator*() const noexcept { return value; }
  T& operator*() noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
  T* operator->() noexcept { return &value; }
  operator const T&() const noexcept { return value; }
};

/// The same for the cookie of that name (Exchange::cookie). T is a scalar or an optional of one.
template <class T, FixedString Name>
struct FromCookie {
  static_assert(internal::is_name_literal(Name.view()), "the name of a cookie is a token");
  static_assert(!json::internal::IsVector<T>::value,
                "the first cookie of a name counts, so there is one value");
  static constexpr auto kName = Name;
  T value{};

  const T& operator*() const noexcept { return value; }
  T& operator*() noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
  T* operator->() noexcept { return &value; }
  operator const T&() const noexcept { return value; }
};

/// A member that is the whole body, of a type that reads itself from one: a message of protobuf (protobuf.h). There is at
/// most one; the others come from the path, the query, headers and cookies then. Without a body it keeps its default,
/// or is a fault if it is Required.
///
///   struct PutOrder { std::string id; FromBody<shop::Order> order; };
template <class T>
struct FromBody {
  T value{};

  const T& operator*() const noexcept { return value; }
  T& operator*() noexcept { return value; }
  const T* operator->() const noexcept { return &value; }
  T* operator->() noexcept { return &value; }
  operator const T&() const noexcept { return value; }
};

}  // namespace degu::http

namespace degu::json {
template <class T>
inline constexpr bool kInText<http::FromBody<T>> = false;
template <class T, http::FixedString Name>
inline constexpr bool kInText<http::FromHeader<T, Name>> = false;
template <class T, http::FixedString Name>
inline constexpr bool kInText<http::FromCookie<T, Name>> = false;
}  // namespace degu::json
