// SPDX-License-Identifier: Apache-2.0
//
// What verify says about traces that somebody worked on who knows the format: checksums are put
// right again after every change, so that only the chain can tell.
#include "trace/chain.h"

#include "trace/block_head.h"
#include "trace/bytes.h"
#include "trace/compress.h"
#include "trace/file_head.h"
#include "trace/index.h"
#include "trace/verify.h"
#include "unit/trace/trace_test.h"

namespace iovm::trace {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class ChainTest : public TraceTest {
 protected:
  // The blocks of a file as strings; what stands behind them is the index.
  struct Parts {
    std::string head;
    std::vector<std::string> blocks;
    std::string index;

    std::string whole() const {
      std::string bytes = head;
      for (const std::string& block : blocks) bytes += block;
      return bytes + index;
    }
  };
  static Parts parts_of(const std::string& file) {
    Parts parts{file.substr(0, kFileHeadBytes), {}, {}};
    std::size_t at = kFileHeadBytes;
    while (auto head = head_at(file, at)) {
      parts.blocks.push_back(file.substr(at, kBlockHeadBytes + head->payload_bytes));
      at += parts.blocks.back().size();
    }
    parts.index = file.substr(at);
    return parts;
  }
  static std::optional<BlockHead> head_at(const std::string& file, std::size_t at) {
    std::string_view rest = std::string_view(file).substr(at);
    return parse_block_head(std::as_bytes(std::span(rest)));
  }
  // The block with another head, and all checksums right.
  static std::string with_head(const std::string& block, BlockHead head) {
    std::string payload = block.substr(kBlockHeadBytes);
    head.payload_check = checksum(std::as_bytes(std::span(payload)));
    auto bytes = encode_block_head(head);
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) + payload;
  }
  // The same with a byte of the payload changed.
  static std::string changed(std::string block) {
    block.back() = static_cast<char>(block.back() ^ 1);
    return with_head(block, *head_at(block, 0));
  }
  TraceProof proof_of(const std::string& bytes) {
    EXPECT_TRUE(write_file(path("in.iovm"), bytes));
    auto proof = verify_trace(path("in.iovm"));
    EXPECT_TRUE(proof) << proof.error().message();
    return proof ? *proof : TraceProof();
  }
  // Blocks of 10 events, 150 of them; a link behind the first context, each 64 blocks, and the
  // last.
  std::string recording() { return written(pci_scan(1500), 10, true); }

  // Of no process and one VM.
  static std::vector<Event> small() {
    std::vector<Event> events = pci_scan(4);
    for (Event& event : events) event.process = kFirstUnknown;
    return events;
  }

  static auto finds(Tampering kind, const std::string& what) {
    return Contains(AllOf(Field(&Finding::kind, kind), Field(&Finding::what, HasSubstr(what))));
  }
};

TEST_F(ChainTest, AGoodTraceIsWhole) {
  std::string file = recording();
  TraceProof proof = proof_of(file);
  EXPECT_TRUE(proof.whole());
  EXPECT_THAT(proof.findings, IsEmpty());
  EXPECT_EQ(proof.events, 1500U);
  EXPECT_EQ(proof.link, stats_.chain_end);
  EXPECT_EQ(proof.blocks, parts_of(file).blocks.size());
  EXPECT_EQ(proof.covered + 4, proof.blocks);
}

TEST_F(ChainTest, ReadersTakeNoNoticeOfTheChain) {
  std::string chained = recording();
  auto events = read_bytes(chained);
  options_.chain = false;
  std::string plain = recording();
  EXPECT_LT(plain.size(), chained.size());
  EXPECT_TRUE(events.events == read_bytes(plain).events);
  EXPECT_THAT(events.damage, IsEmpty());
}

TEST_F(ChainTest, ATraceWithoutAChainHasNone) {
  options_.chain = false;
  TraceProof proof = proof_of(recording());
  EXPECT_FALSE(proof.chained);
  EXPECT_FALSE(proof.whole());
  EXPECT_THAT(proof.findings, IsEmpty());
}

TEST_F(ChainTest, AnAlteredBlockIsNamed) {
  Parts parts = parts_of(recording());
  parts.blocks[17] = changed(parts.blocks[17]);
  TraceProof proof = proof_of(parts.whole());
  ASSERT_THAT(proof.findings, SizeIs(1));
  EXPECT_THAT(proof.findings, finds(Tampering::altered, "block 17 "));
  std::size_t offset = kFileHeadBytes;
  for (std::size_t i = 0; i < 17; ++i) offset += parts.blocks[i].size();
  EXPECT_EQ(proof.findings[0].offset, offset);
}

TEST_F(ChainTest, ABlockWhoseHeadAloneIsAlteredIsNamed) {
  Parts parts = parts_of(recording());
  BlockHead head = *head_at(parts.blocks[17], 0);
  head.latest += 1;
  parts.blocks[17] = with_head(parts.blocks[17], head);
  EXPECT_THAT(proof_of(parts.whole()).findings, finds(Tampering::altered, "block 17 "));
}

TEST_F(ChainTest, DamageIsToldAsDamage) {
  std::string file = recording();
  file[file.size() / 2] = static_cast<char>(file[file.size() / 2] ^ 1);
  TraceProof proof = proof_of(file);
  EXPECT_FALSE(proof.whole());
  EXPECT_THAT(proof.findings, Contains(Field(&Finding::kind, Tampering::damaged)));
}

TEST_F(ChainTest, ARemovedBlockIsMissed) {
  Parts parts = parts_of(recording());
  parts.blocks.erase(parts.blocks.begin() + 20);
  TraceProof proof = proof_of(parts.whole());
  ASSERT_THAT(proof.findings, SizeIs(1));
  EXPECT_THAT(proof.findings, finds(Tampering::removed, "block 20 is not there any more"));
}

TEST_F(ChainTest, ANumberThatDoesNotJoinIsFoundWhereNoDigestCoversIt) {
  Parts parts = parts_of(recording());
  for (std::string& block : parts.blocks) {
    BlockHead head = *head_at(block, 0);
    if (head.kind != BlockKind::chain) continue;
    head.number += 1;
    block = with_head(block, head);
  }
  EXPECT_THAT(proof_of(parts.whole()).findings, finds(Tampering::altered, "do not join"));
}

// Somebody who knows the format renumbers what follows, so that nothing seems to be missing.
TEST_F(ChainTest, ARemovedBlockIsMissedEvenIfTheRestIsRenumbered) {
  Parts parts = parts_of(recording());
  parts.blocks.erase(parts.blocks.begin() + 20);
  for (std::size_t i = 20; i < parts.blocks.size(); ++i) {
    BlockHead head = *head_at(parts.blocks[i], 0);
    head.number -= 1;
    head.first_entry -= 10;
    parts.blocks[i] = with_head(parts.blocks[i], head);
  }
  TraceProof proof = proof_of(parts.whole());
  EXPECT_THAT(proof.findings, Contains(Field(&Finding::kind, Tampering::altered)));
  EXPECT_THAT(proof.findings, finds(Tampering::removed, "not there any more"));
}

TEST_F(ChainTest, BlocksInAnotherOrderAreNamed) {
  Parts parts = parts_of(recording());
  std::swap(parts.blocks[30], parts.blocks[31]);
  TraceProof proof = proof_of(parts.whole());
  ASSERT_THAT(proof.findings, SizeIs(1));
  EXPECT_THAT(proof.findings, finds(Tampering::reordered, "block 30 stands behind block 31"));
}

TEST_F(ChainTest, ACutFileHasNoEnd) {
  Parts parts = parts_of(recording());
  parts.index.clear();
  parts.blocks.resize(100);
  TraceProof proof = proof_of(parts.whole());
  ASSERT_THAT(proof.findings, SizeIs(1));
  EXPECT_THAT(proof.findings, finds(Tampering::truncated, "the end of the chain is missing"));
  EXPECT_GT(proof.covered, 60U);
}

TEST_F(ChainTest, AFileThatIsCutBehindItsHeaderHasNoEnd) {
  Parts parts = parts_of(recording());
  parts.index.clear();
  parts.blocks.resize(2);
  EXPECT_THAT(proof_of(parts.whole()).findings, finds(Tampering::truncated, "cut off"));
}

TEST_F(ChainTest, ACutFileWithANewIndexHasNoEnd) {
  Parts parts = parts_of(recording());
  parts.blocks.resize(100);
  Index index;
  std::uint64_t offset = kFileHeadBytes;
  for (const std::string& block : parts.blocks) {
    index.add(offset, *head_at(block, 0));
    offset += block.size();
  }
  auto bytes = encode_index(index, offset);
  parts.index.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_THAT(read_bytes(parts.whole()).damage, IsEmpty());
  EXPECT_THAT(proof_of(parts.whole()).findings, finds(Tampering::truncated, "cut off or killed"));
}

TEST_F(ChainTest, ALinkThatIsGoneLeavesItsBlocksUncovered) {
  Parts parts = parts_of(recording());
  std::erase_if(parts.blocks, [n = 0](const std::string& block) mutable {
    return head_at(block, 0)->kind == BlockKind::chain && n++ == 1;
  });
  TraceProof proof = proof_of(parts.whole());
  EXPECT_THAT(proof.findings, Contains(Field(&Finding::kind, Tampering::broken)));
  EXPECT_THAT(proof.findings, finds(Tampering::removed, "says nothing about the blocks"));
}

TEST_F(ChainTest, AnAlteredLinkDoesNotMatchItself) {
  Parts parts = parts_of(recording());
  for (std::string& block : parts.blocks)
    if (head_at(block, 0)->kind == BlockKind::chain) block = changed(block);
  TraceProof proof = proof_of(parts.whole());
  EXPECT_FALSE(proof.whole());
}

// The chain of another recording, whole in itself, is another link.
TEST_F(ChainTest, ANewChainHasAnotherEnd) {
  std::string file = recording();
  Sha256 end = *stats_.chain_end;
  context_.vms[0].name = "web-2";
  TraceProof proof = proof_of(recording());
  EXPECT_TRUE(proof.whole());
  EXPECT_NE(proof.link, end);
}

TEST_F(ChainTest, AnIndexThatHidesBlocksIsFound) {
  Parts parts = parts_of(recording());
  std::string bytes = parts.whole();
  std::size_t start = bytes.size() - parts.index.size();
  auto index = parse_index(std::as_bytes(std::span(std::string_view(bytes).substr(start))));
  ASSERT_TRUE(index);
  index->runs[40].latest = index->runs[40].earliest = 1;
  auto forged = encode_index(*index, start);
  parts.index.assign(reinterpret_cast<const char*>(forged.data()), forged.size());
  EXPECT_THAT(proof_of(parts.whole()).findings, finds(Tampering::altered, "the index"));
}

TEST_F(ChainTest, EveryByteOfASmallTraceCounts) {
  context_ = {};
  std::string file = written(small(), 2, true);
  ASSERT_TRUE(proof_of(file).whole());
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string bad = file;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    ASSERT_TRUE(write_file(path("in.iovm"), bad));
    auto proof = verify_trace(path("in.iovm"));
    EXPECT_TRUE(!proof || !proof->whole()) << "byte " << i;
  }
}

TEST_F(ChainTest, EveryCutOfASmallTraceIsSeen) {
  context_ = {};
  std::string file = written(small(), 2, true);
  for (std::size_t size = 0; size < file.size(); ++size) {
    ASSERT_TRUE(write_file(path("in.iovm"), file.substr(0, size)));
    auto proof = verify_trace(path("in.iovm"));
    EXPECT_TRUE(!proof || !proof->whole()) << size << " bytes";
  }
}

TEST_F(ChainTest, ALinkOfImpossibleLengthIsNoLink) {
  Chain chain(std::as_bytes(std::span("head", 4)));
  chain.add(0, std::as_bytes(std::span("block", 5)));
  std::vector<std::byte> good = chain.link(1, true);
  ASSERT_TRUE(parse_chain(good));
  EXPECT_EQ(parse_chain(good)->blocks.size(), 1U);
  EXPECT_TRUE(parse_chain(good)->last);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(parse_chain(std::span(good).first(size)));
  std::vector<std::byte> huge = good;
  store_le(huge.data() + 8, ~std::uint32_t{0});
  EXPECT_FALSE(parse_chain(huge));
}

}  // namespace
}  // namespace iovm::trace
