// Bodies that are messages of protobuf: Exchange::bind<M>(), FromBody<M> and Exchange::protobuf(). Its library is
// degu::http_protobuf; what includes it needs the messages' own headers too.
#pragma once

#include <degu/http/exchange.h>
#include <degu/http/operation.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace google::protobuf {
class Message;
class MessageLite;
}  // namespace google::protobuf

namespace degu::http {

/// What makes `c.bind<M>()` and FromBody<M> work: reads the body into `message`. The Content-Type has to be there, and to be
/// application/x-protobuf, application/protobuf or, for a Message, JSON in protobuf's mapping (field names in
/// lowerCamelCase or as declared, no unknown ones, no repeated ones). False: there is no body, and the message is left
/// alone, which must do without. Fields that the message does not know are kept, as protobuf has it, and messages may be nested 64 deep. Throws
/// HttpError(415) for another type, Error(kInvalidArgument) for what is no such message or lacks fields that are required
/// (proto2), with a detail for each that can be named, of JSON for the first one. The size is limited by the route.
///
///   router.put("/orders/:id", [](Exchange& c) {
///     const auto order = c.bind<shop::Order>();
///     c.protobuf(200, order);
///   });
bool read_whole_body(const Exchange& c, google::protobuf::MessageLite& message);
bool read_whole_body(const Exchange& c, google::protobuf::Message& message);

/// Exchange::protobuf: answers with `message`, as application/x-protobuf or application/protobuf, or, for a Message, as JSON;
/// which of them is up to the client's Accept (negotiate.h), and the first when it does not say. Throws HttpError(406)
/// for clients that take none of them, Error(kInternal) for a message that lacks required fields, has more than 2 GiB
/// or cannot be told in JSON (an Any of unknown type).
void write_protobuf(Exchange& c, int status, const google::protobuf::MessageLite& message);
void write_protobuf(Exchange& c, int status, const google::protobuf::Message& message);

namespace internal {

MediaTypes body_media_types(BodyOf, const google::protobuf::MessageLite* type) noexcept;
MediaTypes body_media_types(BodyOf, const google::protobuf::Message* type) noexcept;
void write_message_schema(json::Writer& writer, std::string_view type_name);

}  // namespace internal
}  // namespace degu::http

namespace degu::json {

/// For operation<In, Out>: an OpenAPI document names the message and its media types; its fields are for the .proto file.
template <class M>
requires std::is_base_of_v<google::protobuf::MessageLite, M>
void write_schema(Writer& writer, const M* /*type*/) {
  http::internal::write_message_schema(writer, M::default_instance().GetTypeName());
}

}  // namespace degu::json
