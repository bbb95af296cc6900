#include <degu/http/internal/media_type.h>
#include <degu/http/multipart.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace degu::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Outcome {
  std::vector<std::string> parts;  // "name|filename|type|content"
  int status = 0;
  std::string reason;
  bool complete = false;

  bool operator==(const Outcome&) const = default;
};

Outcome parse_cut(std::string_view text, std::size_t step, MultipartLimits limits) {
  Outcome outcome;
  MultipartParser parser("XX", limits);
  while (!text.empty() && outcome.status == 0) {
    std::string_view input = text.substr(0, step);
    text.remove_prefix(input.size());
    while (outcome.status == 0) {
      const auto event = parser.next(input);
      if (event == MultipartParser::Event::kNeedInput) break;
      if (event == MultipartParser::Event::kPart) {
        outcome.parts.push_back(parser.head().name + "|" + parser.head().filename.value_or("-") + "|" +
                                parser.head().content_type + "|");
      } else if (event == MultipartParser::Event::kContent) {
        outcome.parts.back() += parser.content();
      } else if (event == MultipartParser::Event::kError) {
        outcome.status = parser.error_status();
        outcome.reason = parser.error_reason();
      }
    }
  }
  outcome.complete = parser.complete();
  return outcome;
}

// Whole, and cut into pieces of each size up to 9.
Outcome parse(std::string_view text, MultipartLimits limits = {}) {
  const Outcome whole = parse_cut(text, text.size(), limits);
  for (std::size_t step = 1; step < 10; ++step) {
    const Outcome cut = parse_cut(text, step, limits);
    EXPECT_EQ(cut.status, whole.status) << step;
    EXPECT_EQ(cut.reason, whole.reason) << step;
    EXPECT_EQ(cut.complete, whole.complete) << step;
    if (whole.status == 0) {
      EXPECT_EQ(cut.parts, whole.parts) << step;
    }
  }
  return whole;
}

std::string part(std::string_view headers, std::string_view content) {
  return "--XX\r\n" + std::string(headers) + "\r\n\r\n" + std::string(content) + "\r\n";
}

std::string reason_for(std::string_view headers) {
  const Outcome outcome = parse(part(headers, "x") + "--XX--\r\n");
  return outcome.status == 0 ? "" : std::to_string(outcome.status) + " " + outcome.reason;
}

constexpr std::string_view kField = R"(Content-Disposition: form-data; name="a")";

TEST(Multipart, GivesFieldsAndFiles) {
  const Outcome outcome =
      parse(part(kField, "one") +
            part("content-disposition: Form-Data; name=f; filename=\"p.png\"\r\nX-Other: y\r\nContent-Type: "
                 "image/png",
                 std::string_view("\x89\0\r\n\r--XY\r\n--X", 13)) +
            part(R"(Content-Disposition: form-data; filename=""; name="none")", "") + "--XX--\r\n");
  EXPECT_EQ(outcome.status, 0) << outcome.reason;
  EXPECT_TRUE(outcome.complete);
  EXPECT_THAT(outcome.parts, ElementsAre("a|-|text/plain|one",
                                         "f|p.png|image/png|" + std::string("\x89\0\r\n\r--XY\r\n--X", 13),
                                         "none||text/plain|"));
}

TEST(Multipart, ContentMayLookLikeTheBoundary) {
  for (const char* content : {"\r", "\n", "\r\n", "\r\r\n", "\r\n-", "\r\n--", "\r\n--X", "\r\n--x\r\n--XY",
                              "--X", "\r\n\r\n--X\r", "a\r\n--Xb\r\n--Xc", "x--XX"}) {
    const Outcome outcome = parse(part(kField, content) + "--XX--");
    EXPECT_EQ(outcome.reason, "");
    EXPECT_THAT(outcome.parts, ElementsAre("a|-|text/plain|" + std::string(content)));
  }
}

TEST(Multipart, AnEmptyFormIsWhole) {
  EXPECT_TRUE(parse("--XX--").complete);
  EXPECT_TRUE(parse("--XX--\r\n").complete);
  EXPECT_TRUE(parse("--XX  \t\r\n" + std::string(kField) + "\r\n\r\n\r\n--XX--").complete);
}

TEST(Multipart, KnowsWhatIsCutShort) {
  const std::string whole = part(kField, "one") + "--XX--\r\n";
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    const Outcome outcome = parse(whole.substr(0, size));
    EXPECT_EQ(outcome.status, 0) << size;
    EXPECT_FALSE(outcome.complete) << size;
  }
  EXPECT_FALSE(parse(whole.substr(0, whole.size() - 1)).complete);
}

TEST(Multipart, RefusesWhatParsersReadDifferently) {
  const std::string good = part(kField, "x");
  for (const std::string& body : std::vector<std::string>{
           "preamble\r\n" + good + "--XX--", "\r\n" + good + "--XX--", "--XY\r\n", "--XX\n" + good,
           "--XXmore\r\n", "--XX \rx", "--XX-x", "--XX - -", "--XX" + std::string(65, ' ') + "\r\n",
           good + "--XX--epilogue", good + "--XX--\r\n\r\n", good + "--XX--\n", good + "--XXY\r\n",
           "--XX\r\n" + std::string(kField) + "\r\n\r\n--XX--"}) {
    EXPECT_EQ(parse(body).status, 400) << body;
  }
}

TEST(Multipart, RefusesBadHeaders) {
  EXPECT_EQ(reason_for(kField), "");
  EXPECT_THAT(reason_for("X: y"), HasSubstr("no Content-Disposition"));
  EXPECT_THAT(parse("--XX\r\n\r\nx\r\n--XX--").reason, HasSubstr("no Content-Disposition"));
  const std::string field(kField);
  EXPECT_THAT(reason_for(field + "\r\n" + field), HasSubstr("two Content-Dispositions"));
  EXPECT_THAT(reason_for(field + "\r\nContent-Type: a/b\r\nContent-Type: a/b"),
              HasSubstr("two Content-Types"));
  EXPECT_THAT(reason_for(field + "\r\nContent-Type: nonsense"), HasSubstr("malformed"));
  for (const char* bad :
       {"\r\n folded", "\r\nno colon", "\r\nX : y", "\r\nX: a\nb", "\r\nX: a\rb", "\r\n: v"}) {
    EXPECT_EQ(reason_for(field + bad), "400 a header of a part is malformed") << bad;
  }
  EXPECT_THAT(reason_for(field + std::string("\r\nX: \0", 6)), HasSubstr("malformed"));
  EXPECT_EQ(reason_for(field + "\r\nContent-Transfer-Encoding: Binary"), "");
  EXPECT_THAT(reason_for(field + "\r\nContent-Transfer-Encoding: base64"), HasSubstr("not supported"));
}

TEST(Multipart, RefusesBadDispositions) {
  for (const char* value :
       {"attachment; name=\"a\"", "form-data", "form-data; name", "form-data; name=", "form-data; name=\"\"",
        "form-data; name=\"a", "form-data; name=\"a\" x", "form-data; name=a; name=b", "form-data; name = a",
        "form-data; name=\"a\"; filename*=UTF-8''x", "form-data; name*=UTF-8''a; name=a",
        "form-data; name=\"a\\n\"", "form-data; name=\"\xff\"", "form-data; name=a; filename=\"..\"",
        "form-data; name=a; filename=\"dir/\"", "form-data; name=a; filename=\"x/.\""}) {
    EXPECT_THAT(reason_for(std::string("Content-Disposition: ") + value), ::testing::StartsWith("400 "))
        << value;
  }
}

TEST(Multipart, NamesAreUnquotedAndPathsDropped) {
  const auto head = [](std::string_view parameters) {
    const Outcome outcome =
        parse(part("Content-Disposition: form-data; " + std::string(parameters), "") + "--XX--");
    EXPECT_EQ(outcome.reason, "") << parameters;
    return outcome.parts.empty() ? "" : outcome.parts.front();
  };
  EXPECT_EQ(head(R"(name="a;b=\"c\"")"), "a;b=\"c\"|-|text/plain|");
  EXPECT_EQ(head(R"(name="a%22b%20c")"), "a\"b%20c|-|text/plain|");
  EXPECT_EQ(head("name=\"gr\xC3\xBC\xC3\x9F\"; filename=\"\xC3\xA4.txt\""),
            "gr\xC3\xBC\xC3\x9F|\xC3\xA4.txt|text/plain|");
  EXPECT_EQ(head(R"(name=a; filename="../../etc/passwd")"), "a|passwd|text/plain|");
  EXPECT_EQ(head(R"(name=a; filename="C:\\dir\\x.txt")"), "a|x.txt|text/plain|");
  EXPECT_EQ(head(R"(name=a; filename=".hidden")"), "a|.hidden|text/plain|");
}

TEST(Multipart, KeepsLimits) {
  const std::string two = part(kField, "12345") + part(kField, "12345") + "--XX--";
  EXPECT_EQ(parse(two, {.max_parts = 2, .max_part_bytes = 5, .max_content_bytes = 10}).status, 0);
  EXPECT_EQ(parse(two, {.max_parts = 1}).status, 413);
  EXPECT_EQ(parse(two, {.max_part_bytes = 4}).status, 413);
  EXPECT_EQ(parse(two, {.max_content_bytes = 9}).status, 413);
  EXPECT_EQ(parse(two, {.max_header_bytes = kField.size() + 4}).status, 0);
  EXPECT_EQ(parse(two, {.max_header_bytes = kField.size() + 3}).status, 413);
}

TEST(Multipart, AnErrorStays) {
  MultipartParser parser("XX");
  std::string_view input = "nonsense";
  EXPECT_EQ(parser.next(input), MultipartParser::Event::kError);
  std::string_view more = "--XX\r\n";
  EXPECT_EQ(parser.next(more), MultipartParser::Event::kError);
  EXPECT_EQ(parser.next(input), MultipartParser::Event::kError);
  EXPECT_FALSE(parser.complete());
}

TEST(Multipart, ReadsTheBoundary) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(multipart_boundary("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b?c\""), "a b?c");
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'x')),
            std::string(70, 'x'));
  for (const std::string bad :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=a; boundary=b", "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a\\\"b\"", "multipart/form-data; boundary=\"a\xC3\xA4\"",
        "multipart/form-data, text/html; boundary=a", "form-data; boundary=a", ""}) {
    EXPECT_EQ(multipart_boundary(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')), std::nullopt);
}

TEST(MediaType, ParametersAreBounded) {
  std::string many;
  for (int i = 0; i < 16; ++i) many += ";a" + std::to_string(i) + "=1";
  ASSERT_TRUE(internal::parse_parameters(many));
  EXPECT_EQ(internal::parse_parameters(many)->size(), 16U);
  EXPECT_FALSE(internal::parse_parameters(many + ";b=1"));
  EXPECT_TRUE(internal::parse_parameters(" ; ;a=1; "));
  EXPECT_FALSE(internal::parse_parameters("a=1"));
}

}  // namespace
}  // namespace degu::http
