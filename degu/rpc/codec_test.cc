#include <degu/base/error.h>
#include <degu/rpc/codec.h>
#include <degu/rpc/testdata/kitchen.degu.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

namespace degu::rpc::testdata {
namespace {

template <class T>
std::string to_json(const T& message) {
  std::string out;
  json::Writer writer(out);
  write_json(writer, message);
  return out;
}

// Reads and gives "path: reason" for each fault.
template <class T>
std::map<std::string, std::string> read(std::string_view text, T& message) {
  const json::Document document = json::Document::parse(text);
  json::FieldErrors errors;
  read_json(document.root(), message, errors);
  std::map<std::string, std::string> out;
  for (const ErrorDetail& detail : errors.details()) out[detail.field] = detail.reason;
  return out;
}

template <class T>
std::map<std::string, std::string> faults(std::string_view text) {
  T message;
  return read(text, message);
}

template <class T>
T from_json(std::string_view text) {
  T message;
  const auto wrong = read(text, message);
  EXPECT_TRUE(wrong.empty()) << text << " -> "
                             << (wrong.empty() ? "" : wrong.begin()->first + wrong.begin()->second);
  return message;
}

TEST(Codec, WritesDefaultScalars) {
  EXPECT_EQ(
      to_json(Scalars{}),
      R"({"aDouble":0,"aFloat":0,"anInt32":0,"anInt64":"0","aUint32":0,"aUint64":"0","aSint32":0,"aSint64":"0",)"
      R"("aFixed32":0,"aFixed64":"0","aSfixed32":0,"aSfixed64":"0","aBool":false,"aString":"","someBytes":"",)"
      R"("colour":"COLOUR_UNSPECIFIED","other\"name":"","class":0})");
}

TEST(Codec, ScalarsRoundTrip) {
  Scalars in;
  in.a_double = 0.1;
  in.a_float = 1.5F;
  in.an_int32 = std::numeric_limits<int32_t>::min();
  in.an_int64 = std::numeric_limits<int64_t>::min();
  in.a_uint32 = std::numeric_limits<uint32_t>::max();
  in.a_uint64 = std::numeric_limits<uint64_t>::max();
  in.a_sint32 = -1;
  in.a_sint64 = -2;
  in.a_fixed32 = 3;
  in.a_fixed64 = 4;
  in.a_sfixed32 = -5;
  in.a_sfixed64 = -6;
  in.a_bool = true;
  in.a_string = "grün \"\\\n\x01";
  in.some_bytes = std::string("\0\xff\x10z", 4);
  in.colour = shared::Colour::kDeepBlue;
  in.renamed = "x";
  in.class_ = 7;
  EXPECT_EQ(from_json<Scalars>(to_json(in)), in);
}

TEST(Codec, AcceptsBothSpellingsAndForms) {
  const auto m = from_json<Scalars>(
      R"({"an_int32":"12","anInt64":34,"a_uint32":1e3,"aUint64":"18446744073709551615","aDouble":"2.5","a_float":2,)"
      R"("colour":2,"someBytes":"_-8","other\"name":"y","a_string":null})");
  EXPECT_EQ(m.an_int32, 12);
  EXPECT_EQ(m.an_int64, 34);
  EXPECT_EQ(m.a_uint32, 1000U);
  EXPECT_EQ(m.a_uint64, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(m.a_double, 2.5);
  EXPECT_EQ(m.colour, shared::Colour::kDeepBlue);
  EXPECT_EQ(m.some_bytes, "\xff\xef");
  EXPECT_EQ(m.renamed, "y");
}

TEST(Codec, RealsThatAreNoNumbersAreStrings) {
  Scalars in;
  in.a_double = -std::numeric_limits<double>::infinity();
  in.a_float = std::numeric_limits<float>::quiet_NaN();
  const std::string text = to_json(in);
  EXPECT_NE(text.find(R"("aDouble":"-Infinity","aFloat":"NaN")"), std::string::npos) << text;
  const auto out = from_json<Scalars>(text);
  EXPECT_EQ(out.a_double, in.a_double);
  EXPECT_TRUE(std::isnan(out.a_float));
}

TEST(Codec, ReportsEveryWrongScalar) {
  const auto wrong = faults<Scalars>(
      R"({"aDouble":true,"aFloat":1e300,"anInt32":2147483648,"anInt64":"9223372036854775808","aUint32":-1,)"
      R"("aUint64":1.5,"aSint32":"12x","aSint64":{},"aFixed32":[],"aFixed64":"","aSfixed32":1e20,"aBool":"true",)"
      R"("aString":5,"someBytes":"a","colour":"GREEN"})");
  EXPECT_EQ(wrong.size(), 15U);
  EXPECT_EQ(wrong.at("aDouble"), "must be a number");
  EXPECT_EQ(wrong.at("aFloat"), "is out of range");
  EXPECT_EQ(wrong.at("anInt32"), "must be a whole number between -2147483648 and 2147483647");
  EXPECT_EQ(wrong.at("aUint32"), "must be a whole number between 0 and 4294967295");
  EXPECT_EQ(wrong.at("aBool"), "must be true or false");
  EXPECT_EQ(wrong.at("aString"), "must be a string");
  EXPECT_EQ(wrong.at("someBytes"), "must be a string in base64");
  EXPECT_EQ(wrong.at("colour"), "is not one of the allowed names");
}

TEST(Codec, EnumsRefuseUnknownNumbersAndNumericStrings) {
  EXPECT_EQ(faults<Scalars>(R"({"colour":9})").size(), 1U);
  EXPECT_EQ(faults<Scalars>(R"({"colour":"1"})").size(), 1U);
  EXPECT_EQ(faults<Scalars>(R"({"colour":""})").size(), 1U);
  EXPECT_EQ(faults<Scalars>(R"({"colour":1.5})").size(), 1U);
  Scalars m;
  m.colour = static_cast<shared::Colour>(9);
  EXPECT_NE(to_json(m).find(R"("colour":9)"), std::string::npos);
}

TEST(Codec, RefusesUnknownAndRepeatedFields) {
  const auto wrong = faults<Scalars>(R"({"nope":1,"an_int32":1,"anInt32":2})");
  EXPECT_EQ(wrong.at("nope"), "is not a known field");
  EXPECT_EQ(wrong.at("anInt32"), "is given more than once");
  EXPECT_EQ(faults<Scalars>("[]").at(""), "must be an object");
  EXPECT_EQ(faults<Nothing>(R"({"a":1})").at("a"), "is not a known field");
  EXPECT_EQ(faults<Nothing>("3").size(), 1U);
  EXPECT_EQ(to_json(Nothing{}), "{}");
}

TEST(Codec, IgnoresUnknownWhenTold) {
  const json::Document document = json::Document::parse(R"({"nope":1,"class":3})");
  json::FieldErrors errors;
  errors.ignore_unknown(true);
  Scalars m;
  read_json(document.root(), m, errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(m.class_, 3);
}

TEST(Codec, AbsentOptionalsAreLeftOut) {
  EXPECT_EQ(to_json(Optionals{}), "{}");
  Optionals m;
  m.number = 0;
  m.text = "";
  m.flag = false;
  m.raw = "\x01";
  m.colour = shared::Colour::kRed;
  m.point.emplace().x = 3;
  m.at = Timestamp(std::chrono::milliseconds(1500));
  m.lasts = std::chrono::milliseconds(-1500);
  m.nothing.emplace();
  EXPECT_EQ(to_json(m),
            R"({"number":0,"text":"","flag":false,"raw":"AQ==","colour":"COLOUR_RED","point":{"x":3,"y":0},)"
            R"("at":"1970-01-01T00:00:01.500Z","lasts":"-1.500s","nothing":{}})");
  EXPECT_EQ(from_json<Optionals>(to_json(m)), m);
  EXPECT_EQ(from_json<Optionals>(R"({"number":null,"point":null,"at":null})"), Optionals{});
}

TEST(Codec, PathsOfNestedFaults) {
  const auto wrong = faults<Lists>(
      R"({"points":[{"x":1},{"x":"a","z":1},null],"numbers":[1,"b"],"texts":{},"flags":[true,1],"laters":[{"inner":5}]})");
  EXPECT_EQ(wrong.size(), 7U);
  EXPECT_TRUE(wrong.contains("points[1].x"));
  EXPECT_TRUE(wrong.contains("points[1].z"));
  EXPECT_EQ(wrong.at("points[2]"), "must not be null");
  EXPECT_TRUE(wrong.contains("numbers[1]"));
  EXPECT_EQ(wrong.at("texts"), "must be an array");
  EXPECT_TRUE(wrong.contains("flags[1]"));
  EXPECT_EQ(wrong.at("laters[0].inner"), "must be an object");
}

TEST(Codec, ListsRoundTrip) {
  EXPECT_EQ(to_json(Lists{}),
            R"({"numbers":[],"longs":[],"flags":[],"texts":[],"blobs":[],"colours":[],"points":[],)"
            R"("times":[],"laters":[]})");
  Lists in;
  in.numbers = {1, -2};
  in.longs = {3};
  in.flags = {true, false};
  in.texts = {"a", ""};
  in.blobs = {"b"};
  in.colours = {shared::Colour::kRed};
  in.points.resize(2);
  in.times = {Timestamp(std::chrono::nanoseconds(1))};
  in.laters.emplace_back().kind = Later::Kind::kFirst;
  EXPECT_EQ(from_json<Lists>(to_json(in)), in);
}

TEST(Codec, MapsRoundTrip) {
  Maps in;
  in.points["p"].y = 4;
  in.names[-3] = "minus three";
  in.colours[true] = shared::Colour::kRed;
  in.blobs["b"] = "\xff";
  in.numbers[7] = 8;
  EXPECT_EQ(to_json(in),
            R"({"points":{"p":{"x":0,"y":4}},"names":{"-3":"minus three"},"colours":{"true":"COLOUR_RED"},)"
            R"("blobs":{"b":"/w=="},"numbers":{"7":"8"}})");
  EXPECT_EQ(from_json<Maps>(to_json(in)), in);
  const auto wrong =
      faults<Maps>(R"({"names":{"x":"a","1":"a","01":"b"},"points":{"q":{"x":[]}},"colours":{"true":null}})");
  EXPECT_EQ(wrong.size(), 4U);
  EXPECT_TRUE(wrong.contains("names.x"));
  EXPECT_EQ(wrong.at("names.01"), "is given more than once");
  EXPECT_TRUE(wrong.contains("points.q.x"));
}

TEST(Codec, OneofTakesOne) {
  Choice c = from_json<Choice>(R"({"text":"t"})");
  EXPECT_EQ(c.text, "t");
  EXPECT_FALSE(c.number);
  EXPECT_EQ(to_json(c), R"({"text":"t"})");
  EXPECT_EQ(faults<Choice>(R"({"text":"t","number":1})").at(""),
            "only one of number, text, point may be given");
}

TEST(Codec, RecursiveMessages) {
  Tree in;
  in.name = "root";
  in.left = Tree{};
  in.left->name = "left";
  in.children.resize(1);
  in.children[0].leaf.emplace().weight = 2;
  in.children[0].leaf->back.emplace().name = "back";
  in.named["n"].name = "named";
  const Tree copy = in;
  EXPECT_EQ(copy, in);
  EXPECT_EQ(from_json<Tree>(to_json(in)), in);
  in.children[0].leaf->back->name = "changed";
  EXPECT_NE(copy, in);
  EXPECT_EQ(faults<Tree>(R"({"left":{"left":{"name":1}}})").begin()->first, "left.left.name");
}

TEST(Codec, TextSetsFields) {
  GetThingRequest m;
  json::FieldErrors errors;
  EXPECT_EQ(read_text(m, "id", "a b", errors), codec::Text::kSet);
  EXPECT_EQ(read_text(m, "verbose", "true", errors), codec::Text::kSet);
  EXPECT_EQ(read_text(m, "levels", "1", errors), codec::Text::kAppended);
  EXPECT_EQ(read_text(m, "levels", "2", errors), codec::Text::kAppended);
  EXPECT_EQ(read_text(m, "near.x", "-5", errors), codec::Text::kSet);
  EXPECT_EQ(read_text(m, "colour", "COLOUR_RED", errors), codec::Text::kSet);
  EXPECT_EQ(read_text(m, "since", "2026-01-02T03:04:05Z", errors), codec::Text::kSet);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(m.levels, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(m.near->x, -5);
  EXPECT_EQ(m.colour, shared::Colour::kRed);
  for (const char* unknown : {"near", "near.z", "near.x.y", "id.a", "", ".", "nope"}) {
    EXPECT_EQ(read_text(m, unknown, "1", errors), codec::Text::kUnknown) << unknown;
  }
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(read_text(m, "near.x", "five", errors), codec::Text::kSet);
  EXPECT_EQ(errors.details().at(0).field, "near.x");
}

}  // namespace
}  // namespace degu::rpc::testdata
