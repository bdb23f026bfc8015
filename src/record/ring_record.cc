// SPDX-License-Identifier: Apache-2.0
#include "record/ring_record.h"

namespace iovm::record {
namespace {

bool has(const iovm_record& record, iovm_present what) {
  return (record.present & what) != 0;
}

bool kind_of(const iovm_record& record, trace::Event& out) {
  switch (record.kind) {
    case IOVM_PIO:
      out.kind = trace::EventKind::pio;
      return true;
    case IOVM_MMIO:
    case IOVM_MMIO_BEGINS:
      out.kind = trace::EventKind::mmio;
      return true;
    case IOVM_FAST_MMIO:
      out.kind = trace::EventKind::fast_mmio;
      return true;
    default:
      return false;
  }
}

}  // namespace

Decoded decode_record(const iovm_record& record, trace::Event& out) {
  out = trace::Event{};
  if (!kind_of(record, out) || record.direction > IOVM_WRITE) return Decoded::malformed;
  out.direction = record.direction == IOVM_WRITE ? trace::Direction::write : trace::Direction::read;
  out.address = record.address;
  if (has(record, IOVM_HAS_VALUE)) set_value(out, record.value);
  if (has(record, IOVM_HAS_SIZE)) set_size(out, record.size);
  if (has(record, IOVM_HAS_COUNT)) set_count(out, record.count);
  if (has(record, IOVM_HAS_VCPU)) set_vcpu(out, record.vcpu);
  if (has(record, IOVM_HAS_RIP)) set_rip(out, record.rip);
  if (has(record, IOVM_HAS_CR3)) set_cr3(out, record.cr3);
  if (has(record, IOVM_HAS_CPL)) set_cpl(out, record.cpl);
  if (has(record, IOVM_STOPPED)) out.stopped_by = record.stopped_by;
  return record.kind == IOVM_MMIO_BEGINS ? Decoded::read_begins : Decoded::event;
}

trace::Loss loss_in(const iovm_record& record) {
  bool full = record.count == IOVM_DROP_FULL;
  return {full ? trace::LossCause::ring : trace::LossCause::source, record.value};
}

}  // namespace iovm::record
