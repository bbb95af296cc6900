#include <degu/http/compress.h>
#include <degu/http/internal/accept_encoding.h>
#include <degu/http/internal/body_filter.h>
#include <degu/http/internal/dispatch.h>
#include <degu/http/internal/exchange_access.h>
#include <degu/http/internal/joined_fields.h>
#include <degu/http/internal/media_types.h>
#include <degu/http/internal/response_fields.h>

#include <memory>
#include <optional>
#include <utility>

namespace degu::http {
namespace {

using State = Exchange::State;

constexpr std::string_view kAcceptEncoding = "Accept-Encoding";

bool may_transform(const std::string& fields) {
  // Digests are of the bytes as they were (RFC 9530).
  for (const char* name : {"content-encoding", "content-range", "content-digest", "repr-digest", "digest"}) {
    if (internal::has_field(fields, name)) return false;
  }
  bool allowed = true;
  internal::each_field(fields, "cache-control", [&](std::string_view value) {
    internal::each_list_element(value, [&](std::string_view directive) {
      allowed = allowed && !internal::equals_ignoring_case(directive, "no-transform");
    });
  });
  return allowed;
}

// This response is one of those that differ by Accept-Encoding.
bool is_fit(const State& state, const CompressOptions& options) {
  if (!state.has_body || state.status == 204 || state.status == 205 || state.status == 206 ||
      state.status == 304)
    return false;
  if (internal::is_event_stream(state.content_type)) {
    if (!options.event_streams) return false;
  } else if (!internal::matches_media_type(state.content_type, options.types)) {
    return false;
  }
  return may_transform(state.fields);
}

void set_coding(State& state, Coding coding) {
  internal::append_field(state.fields, "Content-Encoding", to_string(coding));
  // Ranges would be of the bytes as they were.
  internal::remove_field(state.fields, "accept-ranges");
  const std::string etag(internal::find_field(state.fields, "etag"));
  if (!etag.starts_with('"')) return;
  internal::remove_field(state.fields, "etag");
  internal::append_field(state.fields, "ETag", "W/" + etag);
}

class StreamCompressor final : public internal::BodyFilter {
 public:
  StreamCompressor(const CompressOptions& options, Coding coding) : options_(options), coding_(coding) {}

  bool start(State& state) override {
    if (!is_fit(state, options_)) return false;
    internal::add_vary(state.fields, kAcceptEncoding);
    if (coding_ == Coding::kIdentity) return false;
    set_coding(state, coding_);
    if (!internal::is_bodiless(state)) encoder_.emplace(coding_, options_.levels);
    return true;
  }
  void write(std::string_view piece, std::string& out) override { encoder_->write_and_flush(piece, out); }
  void finish(std::string& out) override { encoder_->finish(out); }

 private:
  const CompressOptions& options_;
  Coding coding_;
  std::optional<ContentEncoder> encoder_;
};

void compress_body(State& state, const CompressOptions& options, Coding coding) {
  if (state.status == 304) return internal::add_vary(state.fields, kAcceptEncoding);
  const std::string_view body = state.response_body();
  if (body.size() < options.min_bytes || body.size() > options.max_bytes || !is_fit(state, options)) return;
  internal::add_vary(state.fields, kAcceptEncoding);
  if (coding == Coding::kIdentity) return;
  std::string packed = encode(coding, body, options.levels);
  if (packed.size() >= body.size()) return;
  state.shared_text.reset();
  state.text = std::move(packed);
  set_coding(state, coding);
  state.coded = true;
}

}  // namespace

Handler compress(CompressOptions options) {
  if (options.types.empty()) {
    const auto types = internal::compressible_types();
    options.types.assign(types.begin(), types.end());
  }
  return [options = std::make_unique<const CompressOptions>(std::move(options))](Exchange& c) {
    State& state = internal::ExchangeAccess::state(c);
    if (state.filter != nullptr) return c.next();  // another compress() surrounds this one
    std::string storage;
    const Coding coding =
        internal::AcceptEncoding(internal::joined_fields(*state.head, kAcceptEncoding, storage))
            .choose(options->preference);
    state.filter = std::make_unique<StreamCompressor>(*options, coding);
    c.next();
    if (!state.stream) compress_body(state, *options, coding);
  };
}

}  // namespace degu::http
