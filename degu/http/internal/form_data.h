// FormData: the fields and files of a form's body.
#pragma once

#include <degu/http/exchange.h>
#include <degu/http/multipart.h>

#include <string>
#include <string_view>
#include <vector>

namespace degu::http::internal {

inline constexpr std::size_t kMaxFields = 1000;

/// `a=1&b=x+y`, decoded. Pieces without a name and a value are left out. Throws Error(kInvalidArgument), whose message
/// speaks of `what`, when the text is not valid percent-encoded UTF-8, holds %00, or has more than kMaxFields fields.
/// Appends to `fields` views into `memory`, which must be empty.
void parse_urlencoded(std::string_view text, std::string_view what, std::string& memory,
                      std::vector<Param>& fields);

/// A part of a multipart body that lies in memory as a whole.
struct FormPart {
  PartHead head;
  std::string_view content;
};

/// Neither copied nor moved: its views point into it.
struct FormData {
  FormData() = default;
  FormData(const FormData&) = delete;
  FormData& operator=(const FormData&) = delete;

  std::string memory;
  std::vector<FormPart> parts;
  std::vector<Param> fields;  // texts, decoded
  std::vector<UploadedPart> files;
};

/// Fills `form`, which must be empty, by the Content-Type. `body` must outlive it. Throws Error(kInvalidArgument) when
/// the body is malformed, HttpError(413) when it has too many parts, HttpError(415) when it is no form.
void parse_form(std::string_view content_type, std::string_view body, FormData& form);

}  // namespace degu::http::internal
