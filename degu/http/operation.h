// operation<In, Out>(), operation(OperationSchemas): what a route takes and gives, for its OpenAPI document.
#pragma once

#include <degu/http/bind.h>
#include <degu/http/json_schema.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace degu::http {

/// Writes one schema; what it refers to goes into the set.
using SchemaFunction = void (*)(json::SchemaSet&, json::Writer&);

/// What a route takes and gives by schemas, where no described structs say it: for code that is generated.
struct OperationSchemas {
  enum class Place : uint8_t { kPath, kQuery, kHeader };
  struct Parameter {
    std::string_view
        name;  ///< outlives the operation, as a literal does; in a path that of the route's pattern
    Place place = Place::kQuery;
    bool required = false;  ///< of no account in a path
    SchemaFunction schema = nullptr;
  };

  std::span<const Parameter> parameters{};  ///< copied
  SchemaFunction body = nullptr;            ///< of the JSON that is the body; null for none
  bool body_required = true;
  SchemaFunction response = nullptr;  ///< of the JSON that is the answer; null for none
};

namespace internal {

/// The media types of a body that is a T: JSON, unless there is `body_media_types(BodyOf, const T*)`, found by
/// argument-dependent lookup; the pointer is null.
struct BodyOf {};
using MediaTypes = std::span<const std::string_view>;
inline constexpr std::string_view kJsonOnly[] = {"application/json"};

template <class T>
MediaTypes media_types_of() noexcept {
  if constexpr (requires { body_media_types(BodyOf(), static_cast<const T*>(nullptr)); }) {
    return body_media_types(BodyOf(), static_cast<const T*>(nullptr));
  } else {
    return kJsonOnly;
  }
}

/// One member of what Exchange::bind fills, or a parameter of OperationSchemas.
struct InputMember {
  enum class Place : uint8_t { kHeader, kCookie, kFile, kText, kJson, kPath, kQuery, kBody };
  std::string_view name;  // on the wire
  Place place;            // kText: wherever bind finds it
  bool required;
  bool many;
  SchemaFunction schema;
  MediaTypes media_types{};  // kBody: what the whole body may be
};

template <class T>
struct Unwrapped {
  using Type = T;
};
template <class T, FixedString Name>
struct Unwrapped<FromHeader<T, Name>> {
  using Type = T;
};
template <class T, FixedString Name>
struct Unwrapped<FromCookie<T, Name>> {
  using Type = T;
};

template <class T>
struct Unwrapped<FromBody<T>> {
  using Type = T;
};

template <class M>
InputMember describe_member(std::string_view name) {
  using Bare = BareType<M>;
  using Value = typename json::internal::MemberType<typename Unwrapped<Bare>::Type>::Type;
  InputMember member{};
  member.name = json::internal::field_name<M>(name);
  member.required = json::internal::IsRequired<M>::value;
  member.many = json::internal::IsVector<Value>::value;
  if constexpr (kTakesFiles<Bare>) {
    member.place = InputMember::Place::kFile;
    member.schema = nullptr;
  } else {
    member.place = IsFromHeader<Bare>::value   ? InputMember::Place::kHeader
                   : IsFromCookie<Bare>::value ? InputMember::Place::kCookie
                   : IsFromBody<Bare>::value   ? InputMember::Place::kBody
                   : FromTexts<Bare>           ? InputMember::Place::kText
                                               : InputMember::Place::kJson;
    member.schema = [](json::SchemaSet& set, json::Writer& writer) {
      set.write<Value>(writer, json::SchemaUse::kRead);
    };
    if constexpr (IsFromBody<Bare>::value) member.media_types = media_types_of<Value>();
  }
  return member;
}

template <class T>
std::vector<InputMember> describe_input() {
  std::vector<InputMember> members;
  if constexpr (json::DescribedStruct<T> && !json::HasReadJson<T>) {
    json::internal::each_described<T>([&](std::string_view name, auto pointer) {
      members.push_back(describe_member<std::remove_cvref_t<decltype(std::declval<T&>().*pointer)>>(name));
    });
  }
  return members;
}

}  // namespace internal

/// Describes a route: what it is for, which struct its handler binds (In), which value it answers with as JSON (Out),
/// and how it fails. It changes nothing about how requests are served; openapi_document() makes a page of it.
///
///   router.get("/users/:id", find_user,
///              {.operation = operation<FindUser, User>("Finds a user").tag("users").error(404, "no such user")});
class Operation {
 public:
  /// Markdown, beyond the summary.
  Operation& description(std::string text) { return set(description_, std::move(text)); }
  /// Operations of a tag are listed together; may be called more than once.
  Operation& tag(std::string name) {
    tags_.push_back(std::move(name));
    return *this;
  }
  /// The name that generated clients give to the call; unique among a router's. By default made from method and path.
  Operation& id(std::string name) { return set(id_, std::move(name)); }
  /// Of success; by default 200, or 204 without an Out.
  Operation& status(int status) {
    status_ = status;
    return *this;
  }
  /// A problem document with that status; `when` says what for, "" leaves it at the status's name. Faults of the
  /// request itself (400, 413, 415) need not be listed.
  Operation& error(int status, std::string when = {}) {
    errors_.emplace_back(status, std::move(when));
    return *this;
  }
  /// Answers with something else than JSON, e.g. "image/png".
  Operation& produces(std::string content_type) { return set(produces_, std::move(content_type)); }
  Operation& deprecated() {
    deprecated_ = true;
    return *this;
  }
  /// Wants credentials of an authentication scheme (RFC 9110 §11.1), e.g. "bearer", or answers 401. It only tells so;
  /// middleware or the handler checks.
  Operation& authenticated(std::string scheme = "bearer") { return set(scheme_, std::move(scheme)); }

  operator std::shared_ptr<const Operation>() const {  // implicit: what RouteOptions keeps
    return std::make_shared<const Operation>(*this);
  }

 private:
  template <class In, class Out>
  friend Operation operation(std::string summary);
  friend Operation operation(std::string summary, const OperationSchemas& schemas);
  friend class OpenApiWriter;

  Operation& set(std::string& member, std::string text) {
    member = std::move(text);
    return *this;
  }

  std::string summary_;
  std::string description_;
  std::string id_;
  std::string produces_;
  std::string scheme_;
  std::vector<std::string> tags_;
  std::vector<std::pair<int, std::string>> errors_;
  int status_ = 0;
  bool deprecated_ = false;
  std::vector<internal::InputMember> input_;
  bool only_body_ = false;  // input_schema_ is the body's, of which input_ has no part
  bool body_required_ = true;
  SchemaFunction input_schema_ = nullptr;  // of the whole body
  SchemaFunction output_schema_ = nullptr;
  internal::MediaTypes input_types_ = internal::kJsonOnly;
  internal::MediaTypes output_types_ = internal::kJsonOnly;
};

/// As below, from schemas.
Operation operation(std::string summary, const OperationSchemas& schemas);

/// In is what the handler binds, Out what it gives to Exchange::json; either may be void.
template <class In, class Out>
Operation operation(std::string summary) {
  Operation result;
  result.summary_ = std::move(summary);
  if constexpr (!std::is_void_v<In>) {
    result.input_ = internal::describe_input<In>();
    result.input_types_ = internal::media_types_of<In>();
    result.input_schema_ = [](json::SchemaSet& set, json::Writer& writer) {
      set.write<In>(writer, json::SchemaUse::kRead);
    };
  }
  if constexpr (!std::is_void_v<Out>) {
    result.output_types_ = internal::media_types_of<Out>();
    result.output_schema_ = [](json::SchemaSet& set, json::Writer& writer) {
      set.write<Out>(writer, json::SchemaUse::kWrite);
    };
  }
  return result;
}

}  // namespace degu::http
