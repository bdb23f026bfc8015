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

}  // namespace
}  // namespace iovm
