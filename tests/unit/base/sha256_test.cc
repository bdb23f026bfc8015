// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <gtest/gtest.h>

#include "base/fd.h"

namespace iovm {
namespace {

// The examples of FIPS 180-2.
TEST(Sha256, IsTheOneOfTheStandard) {
  EXPECT_EQ(hex_text(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_text(sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, Base64HasItsPadding) {
  EXPECT_EQ(base64_text(sha256("")), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Sha256, AFileIsReadInPieces) {
  std::string path = testing::TempDir() + "/sha256-large";
  std::string large(1'000'000, 'a');
  ASSERT_TRUE(write_file(path, large));
  auto hash = sha256_of_file(path);
  ASSERT_TRUE(hash);
  EXPECT_EQ(hex_text(*hash), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AFileThatIsNotThereIsAnError) {
  EXPECT_FALSE(sha256_of_file(testing::TempDir() + "/nonesuch"));
}

TEST(Sha256, PiecesAreTheSameAsTheWhole) {
  Sha256Hasher hash;
  for (char c : std::string("abc")) hash.add(std::as_bytes(std::span(&c, 1)));
  EXPECT_EQ(hash.finish(), sha256("abc"));
}

TEST(Sha256, AHasherStartsAnewAfterItsHash) {
  Sha256Hasher hash;
  hash.add(std::as_bytes(std::span("x", 1))).finish();
  EXPECT_EQ(hash.finish(), sha256(""));
}

TEST(Sha256, ReadsItsOwnDigitsAndNothingElse) {
  EXPECT_EQ(parse_sha256(hex_text(sha256("abc"))), sha256("abc"));
  EXPECT_FALSE(parse_sha256("ba78"));
  EXPECT_FALSE(parse_sha256(std::string(64, 'g')));
  EXPECT_FALSE(parse_sha256(std::string(65, '0')));
}

}  // namespace
}  // namespace iovm
