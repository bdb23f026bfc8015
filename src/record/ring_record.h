// SPDX-License-Identifier: Apache-2.0
//
// A record of iovm.ko (or of the BPF program, which writes the same) as an Event. Time, VM and
// process are the caller's; what the record does not mark as present is absent in the event.
#pragma once

#include "iovm_abi.h"
#include "record/kvm_decoder.h"
#include "trace/event.h"

namespace iovm::record {

// Fills all of `out` but time, vm and process, which are reset. A record that says what no module
// of this ABI says is malformed: a loss (cause source). Not for losses: see loss_in.
Decoded decode_record(const iovm_record& record, trace::Event& out);

// What a record of kind IOVM_LOSS tells.
trace::Loss loss_in(const iovm_record& record);

}  // namespace iovm::record
