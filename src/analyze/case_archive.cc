// SPDX-License-Identifier: Apache-2.0
#include "analyze/case_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/fd.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

constexpr std::string_view kFolder = "iovm-case/";
constexpr std::size_t kPiece = 256U << 10;
constexpr std::string_view kTraceName = kCaseMembers[0];
constexpr std::size_t kMostTraceFindings = 20;
constexpr std::size_t kMostEntries = 16;  // a case has five; the rest would be findings

struct FreeReader {
  void operator()(archive* a) const { archive_read_free(a); }
};
struct FreeWriter {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct FreeEntry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};
using Reader = std::unique_ptr<archive, FreeReader>;
using Writer = std::unique_ptr<archive, FreeWriter>;

Error archive_error(archive* a, Fault fault, std::string_view place) {
  const char* why = archive_error_string(a);
  return Error(fault,
               format("{}: {}", place, why == nullptr ? "no archive" : escape_terminal(why)));
}

// Gives a file in pieces to `take`, which may stop it with an error.
template <typename Take>
Status read_in_pieces(const std::string& path, Take take) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  std::vector<std::byte> piece(kPiece);
  for (;;) {
    auto got = read_full(fd->get(), piece);
    if (!got) return std::move(got).error().in(escape_terminal(path));
    if (*got == 0) return {};
    if (auto taken = take(std::span<const std::byte>(piece).first(*got)); !taken) return taken;
  }
}

std::string base_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

// One case as it is written.
class CaseWriter {
 public:
  CaseWriter(UniqueFd fd, std::string place)
      : fd_(std::move(fd)), place_(std::move(place)), archive_(archive_write_new()) {}

  Status open(bool compress) {
    bool ready = archive_write_set_format_pax_restricted(archive_.get()) == ARCHIVE_OK &&
                 (!compress || archive_write_add_filter_zstd(archive_.get()) == ARCHIVE_OK) &&
                 archive_write_open_fd(archive_.get(), fd_.get()) == ARCHIVE_OK;
    return ready ? Status() : fail();
  }
  Status begin(std::string_view name, std::uint64_t bytes) {
    std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    std::string path = std::string(kFolder) + std::string(name);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    return archive_write_header(archive_.get(), entry.get()) == ARCHIVE_OK ? Status() : fail();
  }
  Status add(std::span<const std::byte> bytes) {
    la_ssize_t put = archive_write_data(archive_.get(), bytes.data(), bytes.size());
    return put == static_cast<la_ssize_t>(bytes.size()) ? Status() : fail();
  }
  Status close() { return archive_write_close(archive_.get()) == ARCHIVE_OK ? Status() : fail(); }

 private:
  Status fail() { return archive_error(archive_.get(), Fault::host, place_); }

  UniqueFd fd_;
  std::string place_;
  Writer archive_;
};

Status put_file(CaseWriter& out, const CaseFile& file, const CaseMember& member) {
  if (auto begun = out.begin(member.name, member.bytes); !begun) return begun;
  Error changed = input_error(format("{}: it changed while it was read; is it still being written?",
                                     escape_terminal(file.path)));
  Sha256Hasher hash;
  std::uint64_t left = member.bytes;
  auto done = read_in_pieces(file.path, [&](std::span<const std::byte> piece) -> Status {
    if (piece.size() > left) return changed;
    left -= piece.size();
    hash.add(piece);
    return out.add(piece);
  });
  if (!done) return done;
  return left == 0 && hash.finish() == member.digest ? Status() : Status(changed);
}

Status put_case(CaseWriter& out, const std::string& manifest_json, const CaseManifest& manifest,
                const std::vector<CaseFile>& files) {
  if (auto begun = out.begin(kManifestName, manifest_json.size()); !begun) return begun;
  if (auto put = out.add(std::as_bytes(std::span(manifest_json))); !put) return put;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (auto put = put_file(out, files[i], manifest.members[i]); !put) return put;
  }
  return out.close();
}

// The bytes of a member, hashed as they go by; none beyond those that the manifest has.
class MemberBytes {
 public:
  MemberBytes(archive* a, const CaseMember& member)
      : archive_(a), member_(member), left_(member.bytes) {}

  // 0 is the end, or what finding() tells.
  std::size_t read(std::span<std::byte> out) {
    if (!finding_.empty()) return 0;
    la_ssize_t got = archive_read_data(archive_, out.data(), out.size());
    if (got < 0) finding_ = "is cut off or cannot be unpacked";
    if (got <= 0) return 0;
    if (static_cast<std::uint64_t>(got) > left_) {
      finding_ = "is longer than the manifest says";
      return 0;
    }
    left_ -= static_cast<std::uint64_t>(got);
    hash_.add(std::span<const std::byte>(out).first(static_cast<std::size_t>(got)));
    return static_cast<std::size_t>(got);
  }
  // After the end: what is wrong with the member; empty: nothing.
  std::string finding() {
    if (!finding_.empty()) return finding_;
    if (left_ > 0) return "is shorter than the manifest says";
    return hash_.finish() == member_.digest ? "" : "is not what the manifest says";
  }

 private:
  archive* archive_;
  const CaseMember& member_;
  std::uint64_t left_;
  Sha256Hasher hash_;
  std::string finding_;
};

// One case as it is read.
class CaseReader {
 public:
  explicit CaseReader(UniqueFd fd) : fd_(std::move(fd)), archive_(archive_read_new()) {}

  Result<CaseProof> verify(const std::string& place);

 private:
  // The name within the folder; empty: an entry that no case has.
  static std::string name_of(archive_entry* entry);
  Status take_manifest();
  void take_member(archive_entry* entry);
  void take_trace(MemberBytes& bytes);
  void compare_with_manifest();
  void find(std::string what) { proof_.findings.push_back(std::move(what)); }

  UniqueFd fd_;
  Reader archive_;
  CaseProof proof_;
  std::vector<std::string> seen_;
  std::vector<std::byte> piece_ = std::vector<std::byte>(kPiece);
};

std::string CaseReader::name_of(archive_entry* entry) {
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr || archive_entry_filetype(entry) != AE_IFREG ||
      archive_entry_hardlink(entry) != nullptr)
    return {};
  std::string_view name(path);
  if (!name.starts_with(kFolder)) return {};
  return std::string(name.substr(kFolder.size()));
}

Status CaseReader::take_manifest() {
  archive_entry* entry = nullptr;
  if (archive_read_next_header(archive_.get(), &entry) != ARCHIVE_OK)
    return input_error("is no trace and no case");
  if (name_of(entry) != kManifestName)
    return input_error("is an archive, but no case: it does not begin with a manifest");
  std::string json;
  for (;;) {
    la_ssize_t got = archive_read_data(archive_.get(), piece_.data(), piece_.size());
    if (got < 0) return input_error("its manifest cannot be read");
    if (got == 0) break;
    json.append(reinterpret_cast<const char*>(piece_.data()), static_cast<std::size_t>(got));
    if (json.size() > kLargestManifest) return input_error("its manifest is too large");
  }
  proof_.digest = sha256(json);
  auto manifest = parse_manifest(json);
  if (!manifest) return std::move(manifest).error();
  proof_.manifest = *std::move(manifest);
  return {};
}

void CaseReader::take_member(archive_entry* entry) {
  std::string name = name_of(entry);
  const auto& members = proof_.manifest.members;
  auto member = std::find_if(members.begin(), members.end(),
                             [&](const CaseMember& m) { return m.name == name; });
  if (member == members.end()) {
    const char* path = archive_entry_pathname(entry);
    std::string shown = path == nullptr ? std::string() : std::string(path).substr(0, 80);
    return find(format("\"{}\" does not belong to the case", escape_terminal(shown)));
  }
  if (std::find(seen_.begin(), seen_.end(), name) != seen_.end())
    return find(format("{}: is there twice", name));
  seen_.push_back(name);
  MemberBytes bytes(archive_.get(), *member);
  if (name == kTraceName) take_trace(bytes);
  while (bytes.read(piece_) > 0) {
  }
  if (auto finding = bytes.finding(); !finding.empty()) find(format("{}: {}", name, finding));
}

// The manifest's hash covers every byte; the chain tells which block is wrong, and what was wrong
// before the case was made.
void CaseReader::take_trace(MemberBytes& bytes) {
  trace::ByteInput input([&bytes](std::span<std::byte> out) { return Result(bytes.read(out)); });
  auto proof = trace::verify_trace(std::move(input), std::string(kTraceName));
  if (!proof) return find(escape_terminal(proof.error().message()));
  proof_.trace = *std::move(proof);
  const trace::TraceProof& trace = *proof_.trace;
  if (!trace.chained) return;
  std::size_t shown = std::min(trace.findings.size(), kMostTraceFindings);
  for (std::size_t i = 0; i < shown; ++i) {
    const trace::Finding& finding = trace.findings[i];
    find(format("{}: byte {}: {}: {}", kTraceName, finding.offset, trace::name_of(finding.kind),
                escape_terminal(finding.what)));
  }
  std::uint64_t more = trace.findings.size() - shown + trace.more_findings;
  if (more > 0) find(format("{}: and {} more", kTraceName, more));
}

// What the manifest tells of the trace, against the trace.
void CaseReader::compare_with_manifest() {
  if (!proof_.trace) return;
  const trace::TraceProof& trace = *proof_.trace;
  auto chain = trace.chained ? std::optional(hex_text(trace.link)) : std::nullopt;
  if (chain != proof_.manifest.chain)
    find(format("{}: its hash chain is not the one of the manifest", kTraceName));
  if (trace.events != proof_.manifest.events)
    find(format("{}: has {} events, and the manifest says {}", kTraceName, trace.events,
                proof_.manifest.events));
}

Result<CaseProof> CaseReader::verify(const std::string& place) {
  archive* a = archive_.get();
  bool ready = archive_read_support_format_tar(a) == ARCHIVE_OK &&
               archive_read_support_filter_zstd(a) == ARCHIVE_OK &&
               archive_read_open_fd(a, fd_.get(), kPiece) == ARCHIVE_OK;
  if (!ready) return input_error(format("{}: is no trace and no case", place));
  if (auto taken = take_manifest(); !taken) return std::move(taken).error().in(place);
  for (std::size_t entries = 0;; ++entries) {
    archive_entry* entry = nullptr;
    int next = archive_read_next_header(a, &entry);
    if (next == ARCHIVE_EOF) break;
    if (next != ARCHIVE_OK) {
      find("the archive is cut off or damaged");
      break;
    }
    if (entries == kMostEntries) {
      find("there are more entries than a case has");
      break;
    }
    take_member(entry);
  }
  compare_with_manifest();
  for (const CaseMember& member : proof_.manifest.members) {
    if (std::find(seen_.begin(), seen_.end(), member.name) == seen_.end())
      find(format("{}: is not there", member.name));
  }
  return std::move(proof_);
}

}  // namespace

Result<std::vector<CaseMember>> describe_files(const std::vector<CaseFile>& files) {
  std::vector<CaseMember> members;
  for (const CaseFile& file : files) {
    CaseMember& member = members.emplace_back(CaseMember{file.name, base_name(file.path), 0, {}});
    Sha256Hasher hash;
    auto read = read_in_pieces(file.path, [&](std::span<const std::byte> piece) -> Status {
      member.bytes += piece.size();
      hash.add(piece);
      return {};
    });
    if (!read) return std::move(read).error();
    member.digest = hash.finish();
  }
  return members;
}

Result<Sha256> write_case(const std::string& path, const CaseManifest& manifest,
                          const std::vector<CaseFile>& files) {
  IOVM_ASSERT(manifest.members.size() == files.size());
  auto fd = open_for_writing(path);
  if (!fd) return std::move(fd).error();
  struct stat about {};
  bool regular = ::fstat(fd->get(), &about) == 0 && S_ISREG(about.st_mode);
  std::string json = render_json(manifest);
  CaseWriter out(*std::move(fd), path == "-" ? "standard output" : escape_terminal(path));
  auto done = out.open(path.ends_with(".zst"));
  if (done) done = put_case(out, json, manifest, files);
  if (!done) {
    if (regular && path != "-") ::unlink(path.c_str());
    return std::move(done).error();
  }
  return sha256(json);
}

Result<CaseProof> verify_case(const std::string& path) {
  auto fd = open_for_reading(path);
  if (!fd) return std::move(fd).error();
  return CaseReader(*std::move(fd)).verify(path == "-" ? "standard input" : escape_terminal(path));
}

bool looks_like_a_case(const std::string& path) {
  if (path == "-") return false;
  auto fd = open_for_reading(path);
  if (!fd) return false;
  std::array<char, 512> first{};
  ssize_t got = ::pread(fd->get(), first.data(), first.size(), 0);
  if (got < 4) return false;
  constexpr std::string_view kZstd{"\x28\xb5\x2f\xfd", 4};
  constexpr std::size_t kUstarAt = 257;
  std::string_view text(first.data(), static_cast<std::size_t>(got));
  return text.starts_with(kZstd) ||
         (text.size() == first.size() && text.substr(kUstarAt, 5) == "ustar");
}

}  // namespace iovm::analyze
