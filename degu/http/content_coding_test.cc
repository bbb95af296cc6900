#include <degu/base/error.h>
#include <degu/base/random.h>
#include <degu/http/content_coding.h>
#include <degu/http/internal/accept_encoding.h>
#include <degu/http/internal/coder.h>
#include <degu/http/internal/recycled_memory.h>
#include <degu/rt/run.h>
#include <degu/sync/wait_group.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace degu::http {
namespace {

using internal::AcceptEncoding;

constexpr std::array kCodings = {Coding::kGzip, Coding::kBrotli};

std::string prose(std::size_t bytes) {
  std::string text;
  for (int i = 0; text.size() < bytes; ++i)
    text += "line " + std::to_string(i * 7919) + " of a long answer\n";
  text.resize(bytes);
  return text;
}

std::string noise(std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text.push_back(static_cast<char>(random_u64()));
  return text;
}

Code failure(Coding coding, std::string_view bytes, const DecodeLimits& limits = {}) {
  try {
    decode(coding, bytes, limits);
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kOk;
}

TEST(ContentCoding, NamesCodings) {
  EXPECT_EQ(coding_of("GZip"), Coding::kGzip);
  EXPECT_EQ(coding_of("x-gzip"), Coding::kGzip);
  EXPECT_EQ(coding_of("BR"), Coding::kBrotli);
  EXPECT_EQ(coding_of("identity"), Coding::kIdentity);
  for (const char* name : {"", "deflate", "gzip ", "zstd", "*", "b"}) EXPECT_FALSE(coding_of(name)) << name;
  for (const Coding coding : {Coding::kIdentity, Coding::kGzip, Coding::kBrotli}) {
    EXPECT_EQ(coding_of(to_string(coding)), coding);
  }
}

TEST(ContentCoding, DecodesWhatItEncoded) {
  for (const Coding coding : {Coding::kIdentity, Coding::kGzip, Coding::kBrotli}) {
    for (const std::string& text : {std::string(), std::string("a"), prose(1000), prose(300'000),
                                    noise(100'000), std::string(50'000, 'x')}) {
      EXPECT_TRUE(decode(coding, encode(coding, text), {.max_ratio = 0}) == text)
          << to_string(coding) << " " << text.size();
    }
  }
}

TEST(ContentCoding, CompressesAndBoundsLevels) {
  const std::string text = prose(100'000);
  for (const Coding coding : kCodings) {
    EXPECT_LT(encode(coding, text).size(), text.size() / 3);
    for (const int level : {-5, 0, 9, 100}) {
      const std::string packed = encode(coding, text, {.gzip_level = level, .brotli_level = level});
      EXPECT_TRUE(decode(coding, packed) == text) << level;
    }
    EXPECT_LT(encode(coding, text, {.gzip_level = 9, .brotli_level = 9}).size(),
              encode(coding, text, {.gzip_level = 1, .brotli_level = 0}).size());
    // Nothing gets much larger than it was.
    EXPECT_LT(encode(coding, noise(100'000)).size(), 100'200U);
  }
}

TEST(ContentCoding, StreamsArriveWithEachFlush) {
  for (const Coding coding : {Coding::kIdentity, Coding::kGzip, Coding::kBrotli}) {
    ContentEncoder encoder(coding);
    ContentDecoder decoder(coding);
    std::string seen;
    std::string expected;
    for (int i = 0; i < 50; ++i) {
      const std::string piece = prose(static_cast<std::size_t>(i) * 97);
      expected += piece;
      std::string wire;
      encoder.write_and_flush(piece, wire);
      decoder.write(wire, seen);
      ASSERT_TRUE(seen == expected) << to_string(coding) << " " << i;
    }
    std::string wire;
    encoder.write("the", wire);
    encoder.write(" end", wire);
    encoder.finish(wire);
    decoder.write(wire, seen);
    EXPECT_EQ(seen, expected + "the end");
    EXPECT_NO_THROW(decoder.finish());
  }
}

TEST(ContentCoding, DoesNotMindHowInputIsCut) {
  const std::string text = prose(20'000);
  for (const Coding coding : kCodings) {
    const std::string packed = encode(coding, text);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, packed.size() - 1}) {
      ContentDecoder decoder(coding);
      std::string out;
      for (std::size_t at = 0; at < packed.size(); at += step) {
        EXPECT_THROW(decoder.finish(), Error);
        decoder.write(std::string_view(packed).substr(at, step), out);
      }
      decoder.finish();
      EXPECT_TRUE(out == text) << to_string(coding) << " " << step;
    }
  }
}

TEST(ContentCoding, RefusesWhatBreaksOffOrGoesOn) {
  for (const Coding coding : kCodings) {
    const std::string packed = encode(coding, prose(500));
    for (std::size_t size = 0; size < packed.size(); ++size) {
      EXPECT_EQ(failure(coding, std::string_view(packed).substr(0, size)), Code::kInvalidArgument) << size;
    }
    EXPECT_EQ(failure(coding, packed + "x"), Code::kInvalidArgument) << to_string(coding);
    EXPECT_EQ(failure(coding, "not compressed at all, certainly not"), Code::kInvalidArgument);
  }
  // The other framings of deflate are not gzip.
  EXPECT_EQ(failure(Coding::kGzip, std::string_view("\x78\x9c\x4b\x04\x00\x00\x62\x00\x62", 9)),
            Code::kInvalidArgument);
}

// gzip has a checksum, so nothing gets through; br has none, but must neither crash nor exceed its limits.
TEST(ContentCoding, SurvivesEveryFlippedBit) {
  const std::string text = prose(300);
  for (const Coding coding : kCodings) {
    const std::string packed = encode(coding, text);
    for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
      std::string damaged = packed;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      try {
        const std::string out = decode(coding, damaged, {.max_bytes = 100'000});
        EXPECT_LE(out.size(), 100'000U);
        // A bit of the header that says nothing.
        EXPECT_TRUE(coding != Coding::kGzip || out == text) << bit;
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == Code::kInvalidArgument || error.code() == Code::kOutOfRange)
            << error.what();
      }
    }
  }
}

TEST(ContentCoding, ReadsGzipOfSeveralMembers) {
  const std::string packed =
      encode(Coding::kGzip, "one, ") + encode(Coding::kGzip, "") + encode(Coding::kGzip, "two");
  EXPECT_EQ(decode(Coding::kGzip, packed), "one, two");
  EXPECT_EQ(failure(Coding::kGzip, packed + packed.substr(0, 5)), Code::kInvalidArgument);
}

TEST(ContentCoding, StopsAtTheLimitOfBytes) {
  for (const Coding coding : {Coding::kIdentity, Coding::kGzip, Coding::kBrotli}) {
    const std::string packed = encode(coding, prose(10'000));
    EXPECT_EQ(failure(coding, packed, {.max_bytes = 10'000}), Code::kOk);
    EXPECT_EQ(failure(coding, packed, {.max_bytes = 9'999}), Code::kOutOfRange);
    EXPECT_EQ(failure(coding, packed, {.max_bytes = 0}), Code::kOutOfRange);
  }
}

TEST(ContentCoding, StopsAtTheRatioLongBeforeTheBomb) {
  const std::string zeros(50'000'000, '\0');
  for (const Coding coding : kCodings) {
    const std::string bomb = encode(coding, zeros);
    EXPECT_LT(bomb.size(), 100'000U);
    ContentDecoder decoder(coding, {.max_bytes = zeros.size()});
    std::string out;
    EXPECT_THROW(decoder.write(bomb, out), Error);
    EXPECT_LE(out.size(), std::max<std::size_t>(64 * 1024, 100 * bomb.size()) + 16 * 1024);
    EXPECT_EQ(failure(coding, bomb, {.max_bytes = zeros.size(), .max_ratio = 0}), Code::kOk);
    // Few bytes may grow as they like.
    EXPECT_EQ(failure(coding, encode(coding, zeros.substr(0, 60'000))), Code::kOk);
  }
}

// A br stream may announce a window and a block of 16 MiB in a few bytes; the memory for it is not given.
TEST(ContentCoding, GivesNoMemoryForAnnouncements) {
  const std::string packed = encode(Coding::kBrotli, noise(900'000));
  std::string out;
  ContentDecoder decoder(Coding::kBrotli, {.max_bytes = 1000});
  EXPECT_THROW(decoder.write(packed, out), Error);
  EXPECT_LE(out.size(), 1000U);
}

TEST(ContentCoding, PoolsServeManyGoroutines) {
  run([] {
    WaitGroup all;
    for (int i = 0; i < 40; ++i) {
      all.go([i] {
        const Coding coding = kCodings[static_cast<std::size_t>(i) % 2];
        const std::string text = prose(static_cast<std::size_t>(i) * 1000);
        for (int round = 0; round < 5; ++round) {
          std::string wire;
          ContentEncoder encoder(coding);
          encoder.write(text, wire);
          yield();
          encoder.finish(wire);
          EXPECT_TRUE(decode(coding, wire, {.max_ratio = 0}) == text);
          ContentEncoder abandoned(coding);
          abandoned.write(text, wire);
        }
      });
    }
    all.wait();
  });
}

// What a burst of streams has needed does not stay for ever.
TEST(ContentCoding, PoolsKeepFew) {
  for (const Coding coding : kCodings) {
    {
      std::vector<ContentEncoder> encoders;
      std::vector<ContentDecoder> decoders;
      for (int i = 0; i < 100; ++i) {
        encoders.emplace_back(coding);
        decoders.emplace_back(coding);
      }
    }
    const bool gzip = coding == Coding::kGzip;
    const auto encoder = gzip ? internal::make_gzip_encoder() : internal::make_brotli_encoder();
    const auto decoder = gzip ? internal::make_gzip_decoder() : internal::make_brotli_decoder();
    EXPECT_LE(encoder->living(), internal::kMaxPooledCoders + 1) << to_string(coding);
    EXPECT_LE(decoder->living(), internal::kMaxPooledCoders + 1) << to_string(coding);
  }
}

TEST(RecycledMemory, GivesFreedBlocksAgain) {
  internal::RecycledMemory memory;
  void* first = memory.allocate(1000);
  memory.free(first);
  EXPECT_EQ(memory.allocate(900), first);
  void* other = memory.allocate(900);
  EXPECT_NE(other, first);
  memory.free(first);
  void* small = memory.allocate(10);  // would waste nearly all of it
  EXPECT_NE(small, first);
  memory.free(small);
  memory.free(other);
  memory.free(nullptr);
}

TEST(RecycledMemory, KeepsToItsLimit) {
  internal::RecycledMemory memory;
  memory.set_limit(1000);
  void* first = memory.allocate(600);
  EXPECT_FALSE(memory.refused());
  EXPECT_EQ(memory.allocate(600), nullptr);
  EXPECT_TRUE(memory.refused());
  EXPECT_EQ(memory.allocate(static_cast<std::size_t>(-1)), nullptr);
  memory.free(first);
  memory.set_limit(1000);
  EXPECT_FALSE(memory.refused());
  void* again = memory.allocate(1000);
  EXPECT_NE(again, nullptr);
  memory.free(again);
}

TEST(AcceptEncoding, ReadsWeights) {
  for (const auto& [text, weight] : std::initializer_list<std::pair<const char*, int>>{{"", 1000},
                                                                                       {";q=1", 1000},
                                                                                       {"; Q=0.5", 500},
                                                                                       {";q=0.123", 123},
                                                                                       {";q=1.000", 1000},
                                                                                       {";q=0.", 0},
                                                                                       {";q=0", 0}}) {
    EXPECT_EQ(internal::parse_weight(text), weight) << text;
  }
  for (const char* text : {";", ";q", ";q=", ";q=2", ";q=1.001", ";q=0.1234", ";q=.5", ";q=-1", ";q=0,5",
                           ";x=1", ";q=0.5;x", ";q=1e3", ";q=0x"}) {
    EXPECT_FALSE(internal::parse_weight(text)) << text;
  }
}

TEST(AcceptEncoding, ChoosesByWeightThenPreference) {
  constexpr std::array kBrotliFirst = {Coding::kBrotli, Coding::kGzip};
  struct Case {
    const char* field;
    Coding chosen;
  };
  for (const auto& [field, chosen] :
       {Case{"", Coding::kIdentity}, Case{"gzip", Coding::kGzip}, Case{"gzip, deflate, br", Coding::kBrotli},
        Case{"br;q=0.5, gzip;q=0.6", Coding::kGzip}, Case{"*", Coding::kBrotli},
        Case{"*, br;q=0", Coding::kGzip}, Case{"*;q=0", Coding::kIdentity},
        Case{"gzip;q=0", Coding::kIdentity}, Case{"identity", Coding::kIdentity},
        Case{"identity, gzip;q=0.9", Coding::kIdentity}, Case{"identity;q=0.5, gzip;q=0.5", Coding::kGzip},
        Case{"identity;q=0, gzip;q=0.001", Coding::kGzip}, Case{"identity;q=0", Coding::kIdentity},
        Case{"gzip;q=0.001", Coding::kGzip}, Case{"gzip;q=0.2, *;q=0.5, br;q=0", Coding::kIdentity},
        Case{"gzip;q=7, br;q=x", Coding::kIdentity}, Case{"gzip;q=0, gzip", Coding::kIdentity},
        Case{",, ;, GZIP ;q=1 ,", Coding::kGzip}, Case{"gzipp, xbr", Coding::kIdentity}}) {
    EXPECT_EQ(AcceptEncoding(field).choose(kBrotliFirst), chosen) << field;
  }
  EXPECT_EQ(AcceptEncoding("gzip, br").choose(kCodings), Coding::kGzip);
  EXPECT_EQ(AcceptEncoding("gzip, br").choose({}), Coding::kIdentity);
}

}  // namespace
}  // namespace degu::http
