// SPDX-License-Identifier: Apache-2.0
//
// Events as a Parquet file, a row an event, made by DuckDB's library (analyze/duckdb.h).
//
// The columns are the keys of the JSON lines, flat and with types: event, time_ns, time (UTC, where
// the trace knows it), vm, vm_number, vcpu, kind, direction, address, size, value, count, cr3, rip,
// cpl, pid, tgid, start_ns, comm, process_kind, confidence, how, device, place, register; of a loss
// cause and lost. What is not known is NULL. Names are UTF-8 as in JSON and otherwise untouched: a
// Parquet reader runs nothing. iovm-export(1) is the list for users.
//
// What shaped it: DuckDB asks for rows (a table function) and writes them on, so a trace of any
// length takes the memory of one row group; the appender would have wanted a table of all of them.
// It opens the file by the descriptor's name in /proc, so no name of a user's ever stands in SQL.
#pragma once

#include <string>

#include "analyze/event_walk.h"
#include "base/result.h"

namespace iovm::analyze {

// All events of the walk into a fresh file, which is there once they are in it: after an error of
// the trace too, which is told then; but not after one of writing.
Status write_parquet(EventWalk& events, const std::string& path);

}  // namespace iovm::analyze
