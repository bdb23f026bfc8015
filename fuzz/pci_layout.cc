// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a VMM's answer to query-pci, and as the record of a VM in a trace: what comes of
// them keeps the trace's limits, comes back the same from a trace, and a tokenizer begins with it.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "model/tokenizer.h"
#include "record/query_pci.h"
#include "trace/archive.h"
#include "trace/context_block.h"
#include "trace/format.h"
#include "trace/frame.h"

using namespace iovm;

namespace {

void begin_with(const trace::VmInfo& vm) {
  model::Tokenizer tokenizer;
  tokenizer.know(std::span(&vm, 1));
  IOVM_ASSERT(vm.pci.functions.size() <= trace::kMostPciFunctions);
  for (const trace::PciFunction& function : vm.pci.functions) {
    IOVM_ASSERT(function.regions.size() <= trace::kMostPciRegions);
    for (const trace::PciRegion& region : function.regions) {
      for (std::uint64_t offset : {std::uint64_t{0}, region.size - 1, region.size}) {
        trace::Event event;
        event.kind = region.memory ? trace::EventKind::mmio : trace::EventKind::pio;
        event.address = region.address + offset;
        trace::set_size(event, 4);
        tokenizer(event);
      }
    }
  }
}

void through_a_trace(const trace::VmInfo& vm) {
  trace::Context context, back;
  context.vms.push_back(vm);
  trace::ContextMark mark;
  auto block = trace::encode_context(context, mark);
  IOVM_ASSERT(block && trace::apply_context(*block, back) && back.vms == context.vms);
}

// The bytes are the end of a VM's record.
void as_a_record(std::span<const std::byte> rest) {
  trace::ArchiveWriter record, content;
  record.u8(3).text("vm").text("").text("qemu").i64(1).u32(1).u64(0).raw(rest);
  auto bytes = record.bytes();
  content.u32(0).u32(0).u32(0).u32(1).u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
  trace::Context context;
  if (!trace::apply_context(trace::encode_frame(content.bytes(), 1), context)) return;
  begin_with(context.vms.at(0));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size > 65536) return 0;
  as_a_record(std::as_bytes(std::span(input, size)));
  auto layout = record::parse_query_pci({reinterpret_cast<const char*>(input), size}, "QMP");
  if (!layout) return 0;
  trace::VmInfo vm;
  vm.pci = *std::move(layout);
  through_a_trace(vm);
  begin_with(vm);
  return 0;
}
