// SPDX-License-Identifier: Apache-2.0
#include "trace/context_block.h"

#include <algorithm>
#include <string_view>

#include "trace/archive.h"
#include "trace/event.h"
#include "trace/format.h"
#include "trace/frame.h"
#include "trace/layout_fields.h"

namespace iovm::trace {
namespace {

// A block takes records until it holds this many bytes; with kLongestText it stays far below
// kLargestPayload.
constexpr std::size_t kEnough = 1U << 20;
constexpr std::size_t kLargestRecord = 1U << 20;
constexpr std::size_t kLargestContent = kLargestPayload;
// The first byte of a record.
enum class Record : std::uint8_t { info = 1, note = 2, vm = 3, process = 4 };

std::string_view cut(std::string_view text) {
  return text.substr(0, kLongestText);
}

void put_info(ArchiveWriter& out, const TraceInfo& info) {
  out.raw(std::as_bytes(std::span(info.id)));
  out.text(cut(info.source)).text(cut(info.tool)).text(cut(info.host)).text(cut(info.kernel));
  out.i64(info.utc_offset_ns).u64(info.time_resolution_ns);
}

void get_info(ArchiveReader& in, TraceInfo& info) {
  in.raw(std::as_writable_bytes(std::span(info.id)));
  info.source = in.text(kLongestText);
  info.tool = in.text(kLongestText);
  info.host = in.text(kLongestText);
  info.kernel = in.text(kLongestText);
  info.utc_offset_ns = in.i64();
  info.time_resolution_ns = std::max<std::uint64_t>(in.u64(), 1);
}

void put_vm(ArchiveWriter& out, const VmInfo& vm) {
  out.text(cut(vm.name)).text(cut(vm.uuid)).text(cut(vm.vmm));
  out.i64(vm.pid).u32(vm.vcpus).u64(vm.memory);
  if (!vm.pci.from.empty()) put_layout(out, vm.pci);
}

VmInfo get_vm(ArchiveReader& in) {
  VmInfo vm;
  vm.name = in.text(kLongestText);
  vm.uuid = in.text(kLongestText);
  vm.vmm = in.text(kLongestText);
  vm.pid = in.i64();
  vm.vcpus = in.u32();
  vm.memory = in.u64();
  return vm;
}

void put_process(ArchiveWriter& out, const GuestProcess& process) {
  out.u16(process.vm).i64(process.pid).i64(process.tgid).u64(process.start_ns);
  out.text(cut(process.comm)).u8(static_cast<std::uint8_t>(process.kind));
  out.u8(static_cast<std::uint8_t>(process.confidence)).text(cut(process.how));
}

GuestProcess get_process(ArchiveReader& in) {
  GuestProcess process;
  process.vm = in.u16();
  process.pid = in.i64();
  process.tgid = in.i64();
  process.start_ns = in.u64();
  process.comm = in.text(kLongestText);
  // A kind or confidence of a later version is one that this version cannot tell.
  auto kind = in.u8();
  process.kind = kind <= static_cast<std::uint8_t>(ProcessKind::address_space)
                     ? static_cast<ProcessKind>(kind)
                     : ProcessKind::unknown;
  auto confidence = in.u8();
  process.confidence = confidence <= static_cast<std::uint8_t>(Confidence::high)
                           ? static_cast<Confidence>(confidence)
                           : Confidence::none;
  process.how = in.text(kLongestText);
  return process;
}

GuestProcess lost_process() {
  GuestProcess process;
  process.how = "lost with a damaged block";
  return process;
}

// Collects records of one payload and knows when it has enough.
class Records {
 public:
  template <typename Fill>
  void add(Record type, Fill fill) {
    ArchiveWriter record;
    record.u8(static_cast<std::uint8_t>(type));
    fill(record);
    std::vector<std::byte> bytes = record.bytes();
    size_ += bytes.size() + sizeof(std::uint32_t);
    all_.push_back(std::move(bytes));
  }
  bool enough() const { return size_ >= kEnough; }
  bool empty() const { return all_.empty(); }
  std::vector<std::byte> payload(const ContextMark& before) const {
    ArchiveWriter out;
    out.u32(static_cast<std::uint32_t>(before.notes)).u32(static_cast<std::uint32_t>(before.vms));
    out.u32(static_cast<std::uint32_t>(before.processes));
    out.u32(static_cast<std::uint32_t>(all_.size()));
    for (const auto& record : all_) out.u32(static_cast<std::uint32_t>(record.size())).raw(record);
    return encode_frame(out.bytes());
  }

 private:
  std::vector<std::vector<std::byte>> all_;
  std::size_t size_ = 0;
};

// Where the next record of each table goes while a payload is applied.
struct Places {
  std::size_t note;
  std::size_t vm;
  std::size_t process;
};

// Puts `value` at `place`, filling up with `filler` before it.
template <typename T>
void place_at(std::vector<T>& table, std::size_t place, T value, const T& filler) {
  if (table.size() <= place) table.resize(place + 1, filler);
  table[place] = std::move(value);
}

Status apply_record(ArchiveReader& in, Context& context, Places& next) {
  // Types of a later version are read over.
  switch (static_cast<Record>(in.u8())) {
    case Record::info:
      get_info(in, context.info);
      break;
    case Record::note: {
      std::string name = in.text(kLongestText);
      std::string value = in.text(kLongestText);
      place_at(context.info.notes, next.note++, {std::move(name), std::move(value)}, {});
      break;
    }
    case Record::vm: {
      VmInfo vm = get_vm(in);
      // A record of before layouts ends here, as does one of a VM that has none.
      if (auto got = in.left() > 0 ? get_layout(in, vm.pci) : Status(); !got) return got;
      place_at(context.vms, next.vm++, std::move(vm), {});
      break;
    }
    case Record::process: {
      GuestProcess process = get_process(in);
      if (process.vm == kAllVms) return input_error("a process belongs to no VM");
      cover_vm(context, process.vm);
      place_at(context.processes, next.process++, std::move(process), lost_process());
      break;
    }
  }
  if (!in.ok()) return input_error("a record of a context block is too short for its fields");
  return {};
}

bool far_ahead(const Places& next, const Context& context) {
  return next.note > context.info.notes.size() + kLargestProcessGap || next.vm > UINT16_MAX ||
         next.process > context.processes.size() + kLargestProcessGap ||
         next.process > kMostProcesses;
}

}  // namespace

std::optional<std::vector<std::byte>> encode_context(const Context& context, ContextMark& mark) {
  const ContextMark before = mark;
  Records records;
  if (!mark.info)
    records.add(Record::info, [&](ArchiveWriter& out) { put_info(out, context.info); });
  mark.info = true;
  for (; mark.notes < context.info.notes.size() && !records.enough(); ++mark.notes) {
    const auto& note = context.info.notes[mark.notes];
    records.add(Record::note,
                [&](ArchiveWriter& out) { out.text(cut(note.first)).text(cut(note.second)); });
  }
  for (; mark.vms < context.vms.size() && !records.enough(); ++mark.vms)
    records.add(Record::vm, [&](ArchiveWriter& out) { put_vm(out, context.vms[mark.vms]); });
  for (; mark.processes < context.processes.size() && !records.enough(); ++mark.processes) {
    records.add(Record::process,
                [&](ArchiveWriter& out) { put_process(out, context.processes[mark.processes]); });
  }
  if (records.empty()) return std::nullopt;
  return records.payload(before);
}

Status apply_context(std::span<const std::byte> payload, Context& context) {
  auto frame = decode_frame(payload, kLargestContent);
  if (!frame) return std::move(frame).error();
  ArchiveReader in(frame->content);
  Places next{in.u32(), in.u32(), in.u32()};
  std::uint32_t records = in.count(sizeof(std::uint32_t));
  if (far_ahead(next, context)) return input_error("a context block continues tables too far on");
  for (std::uint32_t i = 0; i < records; ++i) {
    std::string record = in.text(kLargestRecord);
    ArchiveReader fields(std::as_bytes(std::span(record)));
    if (auto done = apply_record(fields, context, next); !done) return done;
    if (far_ahead(next, context)) return input_error("a context block has too many records");
  }
  if (!in.finished()) return input_error("a context block's records do not end with it");
  return {};
}

void cover_vm(Context& context, std::size_t vm) {
  if (vm != kAllVms && context.vms.size() <= vm) context.vms.resize(vm + 1);
}

}  // namespace iovm::trace
