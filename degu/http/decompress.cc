#include <degu/http/content_coding.h>
#include <degu/http/decompress.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/fields.h>
#include <degu/http/internal/joined_fields.h>

#include <string>

namespace degu::http {
namespace {

// What the body is in, of all that the field names.
Coding request_coding(Exchange& c, const RequestHead& head) {
  std::string storage;
  Coding coding = Coding::kIdentity;
  bool known = true;
  internal::each_list_element(internal::joined_fields(head, "content-encoding", storage),
                              [&](std::string_view element) {
                                const auto named = coding_of(element);
                                if (named == Coding::kIdentity) return;
                                known = known && named && coding == Coding::kIdentity;
                                coding = named.value_or(Coding::kIdentity);
                              });
  if (known) return coding;
  // Section 12.5.3: it tells the client what would have been acceptable.
  c.set_header("Accept-Encoding", "gzip, br");
  throw HttpError(415, Code::kInvalidArgument, "the body's Content-Encoding must be gzip or br");
}

void decode_body(Exchange::State& state, Coding coding, const DecompressOptions& options) {
  const DecodeLimits limits = {.max_bytes = state.body_limit(),
                               .max_ratio = options.max_ratio,
                               .ratio_free_bytes = options.ratio_free_bytes};
  try {
    state.decoded_body = decode(coding, state.body, limits);
  } catch (const Error& error) {
    if (error.code() != Code::kOutOfRange) throw;
    throw HttpError(413, Code::kOutOfRange, error.message());
  }
  state.body = state.decoded_body;
  state.body_decoded = true;
  state.document.reset();
}

}  // namespace

Handler decompress(DecompressOptions options) {
  return [options](Exchange& c) {
    Exchange::State& state = internal::ExchangeAccess::state(c);
    // Without a route nobody reads it; behind another decompress() it is done.
    if (!state.body.empty() && state.route != nullptr && !state.body_decoded) {
      const Coding coding = request_coding(c, *state.head);
      if (coding != Coding::kIdentity) decode_body(state, coding, options);
    }
    c.next();
  };
}

}  // namespace degu::http
