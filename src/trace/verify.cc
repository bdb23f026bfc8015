// SPDX-License-Identifier: Apache-2.0
#include "trace/verify.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/format.h"
#include "base/text.h"
#include "trace/block_stream.h"
#include "trace/chain.h"
#include "trace/file_head.h"

namespace iovm::trace {
namespace {

// A block that waits for its link.
struct Seen {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  Sha256 digest = {};
};

class Verifier {
 public:
  Verifier() : link_(sha256(encode_file_head({FileType::trace, kTraceVersion}))) {}

  void block(const BlockHead& head, std::uint64_t offset, std::span<const std::byte> payload);
  void damage(const Damage& damage);
  TraceProof finish(const BlockStream& stream);

 private:
  void find(Tampering kind, std::uint64_t offset, std::string what);
  void chain(const ChainBlock& link, std::uint64_t offset);
  void compare(const ChainBlock& link, std::uint64_t offset);
  void look_for(std::uint64_t number, const Sha256& written, std::span<const Sha256> all_written,
                std::uint64_t offset);
  void check_order();

  TraceProof proof_;
  Sha256Hasher hash_;
  Sha256 link_;
  std::uint64_t next_ = 0;  // number of the block that the next link begins with
  std::vector<Seen> pending_;
  std::uint64_t unkept_ = 0;                  // pending blocks beyond what a link can cover
  bool last_ = false;                         // the last link was seen
  bool damaged_here_ = false;                 // since the last link
  std::optional<std::uint64_t> odd_numbers_;  // where blocks first did not join by their numbers
  Index index_;
};

void Verifier::find(Tampering kind, std::uint64_t offset, std::string what) {
  if (proof_.findings.size() < TraceProof::kMostFindings)
    proof_.findings.push_back({kind, offset, std::move(what)});
  else
    ++proof_.more_findings;
}

void Verifier::damage(const Damage& damage) {
  // Nothing is wrong with the bytes, only with the numbers in them: the chain knows better why.
  if (damage.bytes == 0) {
    if (!odd_numbers_) odd_numbers_ = damage.offset;
    return;
  }
  damaged_here_ = true;
  find(Tampering::damaged, damage.offset, format("{} ({} bytes)", damage.why, damage.bytes));
}

void Verifier::block(const BlockHead& head, std::uint64_t offset,
                     std::span<const std::byte> payload) {
  proof_.blocks += 1;
  proof_.events += head.entries - head.losses;
  index_.add(offset, head);
  if (head.kind == BlockKind::chain) {
    auto link = parse_chain(payload);
    if (link) return chain(*link, offset);
    find(Tampering::broken, offset,
         format("the chain block {} does not match itself", head.number));
    return;
  }
  if (pending_.size() == kMostChained) {
    ++unkept_;
    return;
  }
  auto bytes = encode_block_head(head);
  pending_.push_back({head.number, offset, hash_.add(bytes).add(payload).finish()});
}

void Verifier::chain(const ChainBlock& link, std::uint64_t offset) {
  if (last_) find(Tampering::added, offset, "a chain block stands behind the last one");
  if (link.before != link_) {
    find(Tampering::broken, offset,
         proof_.chained ? "the chain does not go on from the link before it"
                        : "the chain does not begin with this file's head");
  }
  compare(link, offset);
  proof_.chained = true;
  link_ = link.link;
  next_ = link.first + link.blocks.size() + 1;
  last_ = link.last;
  pending_.clear();
  unkept_ = 0;
  damaged_here_ = false;
}

// The blocks since the last link against what the link says they were.
void Verifier::compare(const ChainBlock& link, std::uint64_t offset) {
  if (link.first > next_) {
    find(Tampering::removed, offset,
         format("the chain says nothing about the blocks {} to {}", next_, link.first - 1));
  }
  check_order();
  std::stable_sort(pending_.begin(), pending_.end(),
                   [](const Seen& a, const Seen& b) { return a.number < b.number; });
  std::vector<Sha256> written = link.blocks;
  std::sort(written.begin(), written.end());
  for (std::size_t i = 0; i < link.blocks.size(); ++i)
    look_for(link.first + i, link.blocks[i], written, offset);
  for (const Seen& seen : pending_) {
    bool covered = seen.number >= link.first && seen.number - link.first < link.blocks.size();
    bool told = link.first > next_ && seen.number >= next_ && seen.number < link.first;
    if (!covered && !told)
      find(Tampering::added, seen.offset, format("block {} was never written here", seen.number));
  }
  if (unkept_ > 0)
    find(Tampering::added, offset, format("{} blocks before it were never written", unkept_));
}

void Verifier::look_for(std::uint64_t number, const Sha256& written,
                        std::span<const Sha256> all_written, std::uint64_t offset) {
  auto at =
      std::lower_bound(pending_.begin(), pending_.end(), number,
                       [](const Seen& seen, std::uint64_t wanted) { return seen.number < wanted; });
  if (at == pending_.end() || at->number != number) {
    // Damage was told already, with its place.
    if (!damaged_here_)
      find(Tampering::removed, offset, format("block {} is not there any more", number));
    return;
  }
  if (at->digest == written) {
    proof_.covered += 1;
    return;
  }
  bool elsewhere = std::binary_search(all_written.begin(), all_written.end(), at->digest);
  find(elsewhere ? Tampering::reordered : Tampering::altered, at->offset,
       elsewhere ? format("block {} was written at another place", number)
                 : format("block {} is not the one that was written", number));
}

void Verifier::check_order() {
  for (std::size_t i = 1; i < pending_.size(); ++i) {
    if (pending_[i].number >= pending_[i - 1].number) continue;
    find(Tampering::reordered, pending_[i].offset,
         format("block {} stands behind block {}", pending_[i].number, pending_[i - 1].number));
  }
}

TraceProof Verifier::finish(const BlockStream& stream) {
  proof_.link = link_;
  if (!proof_.chained) return std::move(proof_);
  std::uint64_t rest = pending_.size() + unkept_;
  if (last_ && rest > 0)
    find(Tampering::added, pending_.front().offset, "blocks stand behind the end of the chain");
  if (odd_numbers_ && proof_.findings.empty())
    find(Tampering::altered, *odd_numbers_, "the numbers of the blocks do not join");
  if (!last_) {
    find(Tampering::truncated, stream.bytes(),
         format("the end of the chain is missing: the recording was cut off or killed behind block "
                "{}, and {} blocks behind it are not covered",
                next_ == 0 ? 0 : next_ - 1, rest));
  }
  if (last_ && !stream.index()) {
    find(Tampering::truncated, stream.bytes(), "the index is missing");
  } else if (last_ && proof_.findings.empty() && !(*stream.index() == index_)) {
    find(Tampering::altered, stream.bytes(), "the index is not that of these blocks");
  }
  return std::move(proof_);
}

Result<TraceProof> verify(BlockStream stream) {
  Verifier verifier;
  for (;;) {
    auto step = stream.next();
    if (!step) return std::move(step).error();
    if (*step == BlockStream::Step::end) return verifier.finish(stream);
    if (*step == BlockStream::Step::gap) {
      verifier.damage(stream.gap().damage);
      continue;
    }
    BlockHead head = stream.head();
    std::uint64_t offset = stream.offset();
    auto payload = stream.payload();
    if (!payload) return std::move(payload).error();
    if (*payload) verifier.block(head, offset, **payload);
  }
}

}  // namespace

std::string_view name_of(Tampering kind) {
  constexpr std::array<std::string_view, 7> kNames = {"damaged", "altered", "removed",  "reordered",
                                                      "added",   "broken",  "truncated"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<TraceProof> verify_trace(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  return verify_trace(ByteInput(*std::move(fd)),
                      path == "-" ? "standard input" : escape_terminal(path));
}

Result<TraceProof> verify_trace(ByteInput input, const std::string& place) {
  auto stream = BlockStream::open(std::move(input), place);
  if (!stream) return std::move(stream).error();
  auto proof = verify(*std::move(stream));
  if (!proof) return std::move(proof).error().in(place);
  return proof;
}

}  // namespace iovm::trace
