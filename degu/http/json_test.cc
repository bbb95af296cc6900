#include <degu/base/random.h>
#include <degu/http/internal/json_locate.h>
#include <degu/http/json_codec.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace degu::json {

enum class Colour { kRed, kBlue };
BOOST_DESCRIBE_ENUM(Colour, kRed, kBlue)

struct Part {
  std::string name;
  int8_t count = 1;
};
BOOST_DESCRIBE_STRUCT(Part, (), (name, count))

struct Base {
  int64_t id = 0;
};
BOOST_DESCRIBE_STRUCT(Base, (), (id))

struct Thing : Base {
  bool on = false;
  uint32_t size = 0;
  double weight = 0;
  std::string text;
  Colour colour = Colour::kRed;
  std::optional<std::string> note;
  std::vector<Part> parts;
  std::map<std::string, int> counts;
  std::vector<bool> flags;
};
BOOST_DESCRIBE_STRUCT(Thing, (Base), (on, size, weight, text, colour, note, parts, counts, flags))

// A type with functions of its own, as generated code has.
struct Point {
  int x = 0;
};
void write_json(Writer& writer, const Point& point) { writer.value("p" + std::to_string(point.x)); }
void read_json(Value value, Point& point, FieldErrors& errors) {
  const auto text = value.string();
  if (!text || text->size() < 2) return errors.add("", "is no point");
  point.x = (*text)[1] - '0';
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string written(auto&&... values) {
  std::string out;
  Writer writer(out);
  writer.begin_array();
  (writer.value(values), ...);
  writer.end_array();
  return out;
}

TEST(JsonWriter, PlacesCommas) {
  std::string out = "before ";
  Writer writer(out);
  writer.begin_object();
  writer.key("a");
  writer.begin_array();
  writer.begin_object();
  writer.end_object();
  writer.begin_array();
  writer.end_array();
  writer.value(1);
  writer.raw("{\"x\":[]}");
  writer.value("[");
  writer.value("");
  writer.end_array();
  writer.key("b");
  writer.value(nullptr);
  writer.key("c:");
  writer.value(true);
  writer.end_object();
  EXPECT_EQ(out, R"(before {"a":[{},[],1,{"x":[]},"[",""],"b":null,"c:":true})");
}

TEST(JsonWriter, FormatsNumbers) {
  EXPECT_EQ(written(0, -1, std::numeric_limits<int64_t>::min(), std::numeric_limits<uint64_t>::max()),
            "[0,-1,-9223372036854775808,18446744073709551615]");
  EXPECT_EQ(written(0.1, 1e300, -0.0, 3.0, 0.1F), "[0.1,1e+300,-0.0,3,0.1]");
  EXPECT_EQ(written(44444444444444444444.0, 4503599627370496.0), "[4.444444444444444e+19,4503599627370496]");
  EXPECT_EQ(written(std::nan(""), std::numeric_limits<double>::infinity()), "[null,null]");
  EXPECT_EQ(written(true, false, 'a' == 'b', static_cast<uint8_t>(200)), "[true,false,false,200]");
  std::string out;
  Writer(out).quoted(int64_t{-5});
  EXPECT_EQ(out, "\"-5\"");
}

TEST(JsonWriter, EscapesAndRepairsText) {
  EXPECT_EQ(written("a\"b\\c\n\r\t\x01\x1f"), R"(["a\"b\\c\n\r\t\u0001\u001f"])");
  EXPECT_EQ(written("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "[\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\"]");
  // Lone continuation, cut sequence, overlong form, surrogate, beyond U+10FFFF.
  for (const char* bad :
       {"\x80", "\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\xE2\x82"}) {
    const std::string out = written(std::string("x") + bad);
    EXPECT_THAT(out, HasSubstr("\xEF\xBF\xBD"));
    EXPECT_NO_THROW(Document::parse(out));
  }
}

// Each byte at each place around the widths of what is copied at once.
TEST(JsonWriter, RoundTripsEveryByteAtEveryPlace) {
  for (std::size_t length = 1; length < 52; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 128; byte += byte < 35 || byte > 90 ? 1 : 13) {
        std::string text(length, 'a');
        text[at] = static_cast<char>(byte);
        const Document document = Document::parse(written(text));
        document.root().each_element([&](Value value) { ASSERT_EQ(value.string(), text); });
      }
    }
  }
}

TEST(JsonWriter, RoundTripsPairsOfOddBytes) {
  for (std::size_t length = 2; length < 40; ++length) {
    for (std::size_t first = 0; first < length; ++first) {
      for (std::size_t second = 0; second < length; ++second) {
        std::string text(length, 'a');
        text[first] = '"';
        text.replace(second, 1, "\xC3\xA4");
        const Document document = Document::parse(written(text));
        document.root().each_element([&](Value value) { ASSERT_EQ(value.string(), text); });
      }
    }
  }
}

TEST(JsonWriter, BatchesWriteTheSame) {
  std::string out = "before ";
  Writer writer(out);
  {
    const Writer::Batch batch(writer);
    writer.begin_array();
    {
      const Writer::Batch inner(writer);
      for (int i = 0; i < 300; ++i) writer.value("number " + std::to_string(i));
    }
    writer.value(std::string(5000, 'x'));
    writer.value(1.5);
    writer.quoted(uint64_t{7});
    writer.end_array();
  }
  std::string expected = "before [";
  for (int i = 0; i < 300; ++i) expected += "\"number " + std::to_string(i) + "\",";
  expected += '"' + std::string(5000, 'x') + "\",1.5,\"7\"]";
  EXPECT_EQ(out, expected);
}

TEST(JsonWriter, ItsStringIsCutWhenABatchEndsByAnException) {
  std::string out;
  Writer writer(out);
  EXPECT_THROW(
      {
        const Writer::Batch batch(writer);
        writer.begin_array();
        throw std::runtime_error("no");
      },
      std::runtime_error);
  EXPECT_EQ(out, "[");
  writer.value(1);
  EXPECT_EQ(out, "[1");
}

TEST(JsonReader, ReadsValues) {
  const Document document = Document::parse(
      R"( {"n":null,"b":true,"i":-3,"u":18446744073709551615,"d":1.5,"s":"\u00e4\n","a":[1,[2]],"o":{"k":"v"}} )");
  const Value root = document.root();
  EXPECT_EQ(root.type(), Type::kObject);
  EXPECT_EQ(root.size(), 8U);
  EXPECT_TRUE(root.find("n")->is_null());
  EXPECT_EQ(root.find("b")->boolean(), true);
  EXPECT_EQ(root.find("i")->int64(), -3);
  EXPECT_EQ(root.find("i")->uint64(), std::nullopt);
  EXPECT_EQ(root.find("i")->number(), -3.0);
  EXPECT_EQ(root.find("u")->uint64(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(root.find("u")->int64(), std::nullopt);
  EXPECT_EQ(root.find("d")->number(), 1.5);
  EXPECT_EQ(root.find("d")->int64(), std::nullopt);
  EXPECT_EQ(root.find("s")->string(), "\xC3\xA4\n");
  EXPECT_EQ(root.find("a")->size(), 2U);
  EXPECT_EQ(root.find("o")->find("k")->string(), "v");
  EXPECT_EQ(root.find("x"), std::nullopt);
  EXPECT_EQ(root.find("a")->find("x"), std::nullopt);
  EXPECT_EQ(root.string(), std::nullopt);
  EXPECT_TRUE(Value().is_null());
  EXPECT_EQ(Value().int64(), std::nullopt);
}

std::string parse_error(std::string_view text) {
  try {
    Document::parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    return error.message();
  }
  return "none";
}

TEST(JsonReader, SaysWhatIsWrongAndWhere) {
  const std::initializer_list<std::pair<std::string, const char*>> cases = {
      {"", "is empty"},
      {"  \n", "is empty at line 2 column 1"},
      {"{", "no quoted member name where one is expected at line 1 column 2"},
      {"[1,", "ends where a value is expected at line 1 column 4"},
      {"[1,]", "has no value where one is expected at line 1 column 4"},
      {"[1 2]", "has no ',' or ']' after an element at line 1 column 4"},
      {"{\"a\" 1}", "has no ':' after a member name at line 1 column 6"},
      {"{\"a\":1 \"b\":2}", "has no ',' or '}' after a member"},
      {"{\"a\":1,}", "has no quoted member name"},
      {"{a:1}", "has no quoted member name"},
      {"{'a':1}", "has no quoted member name"},
      {"\n\n  tru", "has an unknown word at line 3 column 3"},
      {"nul", "has an unknown word"},
      {"1 2", "has more text after its end at line 1 column 3"},
      {"[1]]", "has more text after its end"},
      {"01", "leading zero"},
      {"-", "bad number"},
      {"1.", "bad number"},
      {"1e", "bad number"},
      {"+1", "no value"},
      {".5", "no value"},
      {"NaN", "no value"},
      {"\"abc", "ends inside a string"},
      {"\"a\nb\"", "control character"},
      {"\"\\x\"", "bad escape"},
      {"\"\\u12g4\"", "bad \\u escape"},
      {"\"\\ud800\"", "unpaired surrogate"},
      {"\"\xFF\"", "not valid UTF-8"},
      {"\"\xC0\xAF\"", "not valid UTF-8"},
      {"{\"a\":1,\"a\":2}", "repeated member name"},
      {"[{\"x\":{\"a\":1,\"b\":0,\"a\":2}}]", "repeated member name"},
      {"{\"a\":1,\"\\u0061\":2}", "repeated member name"},
      {"18446744073709551616", "out of range"},
      {"[-9223372036854775809]", "out of range"},
      {"1e999", "out of range"},
      {"/* c */ 1", "no value"},
      {std::string("1\0", 2), "more text"},
  };
  for (const auto& [text, wanted] : cases) EXPECT_THAT(parse_error(text), HasSubstr(wanted)) << text;
}

TEST(JsonReader, LimitsDepthAndSize) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(parse_error(nested(kMaxDepth)), "none");
  EXPECT_THAT(parse_error(nested(kMaxDepth + 1)), HasSubstr("nested too deeply"));
  EXPECT_THAT(parse_error(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THROW(Document::parse("[1,2,3]", {.max_bytes = 6}), Error);
}

TEST(JsonReader, FindsDuplicatesInLargeObjects) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  EXPECT_EQ(parse_error(text + "\"x\":0}"), "none");
  EXPECT_THAT(parse_error(text + "\"k7\":0}"), HasSubstr("repeated"));
}

// simdjson and the recogniser that explains its refusals agree on what is JSON.
TEST(JsonReader, RecogniserAgrees) {
  const std::string seed = R"({"a":[1,-2.5e3,true,null,"x\u0041\n"],"b":{"c":{}}})";
  Random random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seed;
    constexpr std::string_view kBytes = "{}[]\",:0-+.eEtn\\u \x01";
    for (uint32_t i = 0; i <= random.below(2); ++i) {
      text[random.below(static_cast<uint32_t>(text.size()))] = kBytes[random.below(kBytes.size())];
    }
    const std::string error = parse_error(text);
    const bool beyond_syntax = error.find("surrogate") != std::string::npos ||
                               error.find("range") != std::string::npos ||
                               error.find("repeated") != std::string::npos;
    if (beyond_syntax) continue;
    EXPECT_EQ(internal::locate_fault(text).what.empty(), error == "none") << text << "\n" << error;
    EXPECT_THAT(error, testing::Not(HasSubstr("is malformed"))) << text;
  }
}

TEST(JsonCodec, RoundTripsDescribedStructs) {
  Thing thing;
  thing.id = 1LL << 60;
  thing.on = true;
  thing.size = 7;
  thing.weight = 0.25;
  thing.text = "x\"y";
  thing.colour = Colour::kBlue;
  thing.parts = {{"a", 1}, {"b", -2}};
  thing.counts = {{"one", 1}};
  thing.flags = {true, false};
  const std::string text = to_string(thing);
  EXPECT_EQ(
      text,
      R"({"id":1152921504606846976,"on":true,"size":7,"weight":0.25,"text":"x\"y","colour":"kBlue",)"
      R"("parts":[{"name":"a","count":1},{"name":"b","count":-2}],"counts":{"one":1},"flags":[true,false]})");
  EXPECT_EQ(to_string(from_string<Thing>(text)), text);
  thing.note = "n";
  EXPECT_EQ(from_string<Thing>(to_string(thing)).note, "n");
  EXPECT_EQ(from_string<Thing>(R"({"note":null})").note, std::nullopt);
  EXPECT_EQ(from_string<Thing>("{}").parts.size(), 0U);
}

TEST(JsonCodec, CollectsAllFieldErrors) {
  try {
    from_string<Thing>(
        R"({"id":1.5,"on":"yes","size":-1,"weight":"1","text":7,"colour":"kGreen","note":3,)"
        R"("parts":[{"name":"ok"},{"name":null,"count":128,"extra":1}],"counts":{"a":"b"},"unknown":1})");
    FAIL();
  } catch (const Error& error) {
    std::vector<std::string> faults;
    for (const auto& detail : error.details()) faults.push_back(detail.field + ": " + detail.reason);
    EXPECT_THAT(
        faults,
        ElementsAre("id: must be a whole number", "on: must be a boolean, not string",
                    "size: must be from 0 to 4294967295", "weight: must be a number, not string",
                    "text: must be a string, not number", "colour: is not one of the allowed names",
                    "note: must be a string, not number", "parts[1].name: must be a string, not null",
                    "parts[1].count: must be from -128 to 127", "parts[1].extra: is not a known field",
                    "counts.a: must be a number, not string", "unknown: is not a known field"));
  }
  EXPECT_NO_THROW(from_string<Thing>(R"({"unknown":1})", true));
  EXPECT_THROW(from_string<Thing>("[]"), Error);
}

TEST(JsonCodec, PrefersAdlHooks) {
  EXPECT_EQ(to_string(std::vector<Point>{{1}, {2}}), R"(["p1","p2"])");
  EXPECT_EQ(from_string<std::vector<Point>>(R"(["p3"])").front().x, 3);
  EXPECT_THROW(from_string<Point>("1"), Error);
}

TEST(JsonCodec, KeepsAtMostAHundredErrors) {
  std::string text = "[";
  for (int i = 0; i < 1000; ++i) text += "\"x\",";
  try {
    from_string<std::vector<int>>(text + "1]");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.details().size(), 100U);
  }
}

}  // namespace
}  // namespace degu::json
