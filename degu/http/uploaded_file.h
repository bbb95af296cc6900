// UploadedFile: a file of a multipart/form-data body, as a member of a bound struct.
#pragma once

#include <degu/http/json_codec.h>

#include <string>

namespace degu::http {

/// A file that a form has sent (Exchange::bind). All three come from the client: the filename is one path component
/// of valid UTF-8 without control characters, but it may name any file of a folder; the type is a claim. For one file
/// a member of this type, for several a vector; optional and Required as for other members. A file field without a
/// chosen file counts as absent.
///
///   struct NewPicture { json::Required<std::string> title; json::Required<UploadedFile> picture; };
struct UploadedFile {
  std::string filename;
  std::string content_type;
  std::string content;
};

}  // namespace degu::http

namespace degu::json {
template <>
inline constexpr bool kInText<http::UploadedFile> = false;
}
