// Media types that are worth compressing.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace degu::http::internal {

/// The type of `content_type`, without its parameters, fits one of the patterns: "image/svg+xml", "text/*" or "*+json".
bool matches_media_type(std::string_view content_type, std::span<const std::string> patterns) noexcept;

/// What compress() and static_files() take unless told otherwise: text, JSON, XML, JavaScript, WebAssembly and
/// relatives.
std::span<const std::string> compressible_types();

bool is_event_stream(std::string_view content_type) noexcept;

}  // namespace degu::http::internal
