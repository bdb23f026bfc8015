// SPDX-License-Identifier: Apache-2.0
//
// Events as a file that Perfetto's UI and chrome://tracing open: the JSON of the Trace Event Format
// document ("traceEvents", times in microseconds).
//
// Each VM has a group of vCPU tracks, on which every access is an instant with the members of the
// JSON lines as its arguments, and a group of guest process tracks, on which runs of accesses to
// one device are slices: a run has a length that was measured, a single access has none. A run ends
// at another device, at a pause of kPause, and at a loss: no slice covers what is not known. Losses
// and alerts have tracks of their own in the group "recording".
//
// What shaped it: Perfetto's importer names a track by its tid alone, so a tid is used once in the
// whole file, and none is a group's number (it would be that group's main thread); it takes slices
// of a track for a stack, so they never overlap, not even by the nanosecond that it would cut off a
// time (put_microseconds); it reads no key behind one that it does not know, so all else stands
// before "traceEvents". The order of entries is free.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analyze/event_listing.h"
#include "analyze/report.h"

namespace iovm::analyze {

// An alert and where it stands in time.
struct AlertMark {
  std::uint64_t time = 0;  // ns of the trace's clock
  ReportAlert alert;
};

class PerfettoListing : public EventListing {
 public:
  static constexpr std::uint64_t kPause = 1'000'000;  // ns

  // Of `marks`, as they are when the listing ends, those within the time of the events are told.
  explicit PerfettoListing(const std::vector<AlertMark>& marks) : marks_(marks) {}

  void begin(const trace::Context& context, std::string& out) override;
  void append(const ListedEvent& listed, std::string& out) override;
  void end(const trace::Context& context, std::string& out) override;

 private:
  static constexpr std::uint32_t kLastGroup = 0x20001;  // of VM 0xffff

  // Accesses of one process to one device, close together.
  struct Run {
    std::string_view device;  // empty: none is open
    std::uint64_t first_event = 0;
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
  };
  struct ProcessTrack {
    std::uint32_t tid = 0;  // 0: not told yet
    std::uint16_t vm = 0;
    std::string json;  // the ready member of an access's arguments
    Run run;
  };

  void open_entry(std::string_view phase, std::uint64_t pid, std::uint64_t tid, std::string& out);
  void name(std::string_view what, std::uint64_t pid, std::uint64_t tid, std::string_view text,
            std::string& out);
  std::uint32_t cpu_track(const ListedEvent& listed, std::string& out);
  ProcessTrack& process_track(const ListedEvent& listed, std::string& out);
  void add_to_run(const ListedEvent& listed, ProcessTrack& track, std::string& out);
  void close_run(ProcessTrack& track, std::string& out);
  void put_loss(const ListedEvent& listed, std::string& out);
  void put_alert(const AlertMark& mark, std::string& out);

  const std::vector<AlertMark>& marks_;
  std::uint32_t last_tid_ = kLastGroup;
  bool any_ = false;  // an entry stands already: a comma is due
  bool any_event_ = false;
  std::uint64_t first_time_ = 0;
  std::uint64_t last_time_ = 0;
  std::uint32_t losses_tid_ = 0;
  std::uint32_t alerts_tid_ = 0;
  std::map<std::pair<std::uint16_t, std::uint32_t>, std::uint32_t> cpus_;  // by VM and vCPU: tid
  std::vector<bool> named_vms_;          // groups that have a name, by VM
  std::vector<ProcessTrack> processes_;  // by index
};

}  // namespace iovm::analyze
