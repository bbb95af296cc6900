#include <degu/base/error.h>
#include <gtest/gtest.h>
#include <shop/catalog/picture.h>

#include <set>

namespace shop::catalog {
namespace {

const Art kArt{"mug", "dots", {"#ffffff", "#808080", "#000", "#c8704d"}};

TEST(Picture, FillsColours) { EXPECT_EQ(draw("{bg} {a} {b} {c}", kArt), "#ffffff #808080 #000 #c8704d"); }

TEST(Picture, Shades) {
  EXPECT_EQ(shade("#808080", 0.5), "#c0c0c0");
  EXPECT_EQ(shade("#808080", -0.5), "#404040");
  EXPECT_EQ(shade("#fff", -1), "#000000");
  EXPECT_EQ(shade("#000", 1), "#ffffff");
}

TEST(Picture, KeepsTheVariantOnly) {
  EXPECT_EQ(draw("1<!--if dots-->2<!--end-->3<!--if lines-->4<!--end-->5", kArt), "1235");
}

TEST(Picture, RefusesFaultyDrawings) {
  for (const char* drawing : {"{x}", "{a", "<!--if dots-->", "<!--if dots<!--end-->", "{}"}) {
    EXPECT_THROW(draw(drawing, kArt), degu::Error) << drawing;
  }
}

TEST(Picture, EveryProductHasItsOwn) {
  std::set<std::string> seen;
  for (const Picture& picture : builtin_pictures()) {
    EXPECT_TRUE(picture.svg.starts_with("<svg ")) << picture.name;
    EXPECT_TRUE(picture.svg.ends_with("</svg>\n")) << picture.name;
    EXPECT_EQ(picture.svg.find("<!--"), std::string::npos) << picture.name;
    EXPECT_TRUE(seen.insert(picture.svg).second) << picture.name << " looks like another one";
  }
  EXPECT_EQ(seen.size(), builtin_catalog().products.size());
}

}  // namespace
}  // namespace shop::catalog
