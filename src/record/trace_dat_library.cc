// SPDX-License-Identifier: Apache-2.0
//
// The only place that calls libtracecmd; runs in the child process of trace_dat_child.h. Errors of
// the library end the process or become a `refused`; nothing is freed, the process ends anyway.
#include <sched.h>
// trace-cmd.h includes tracefs.h and uses nothing of it; version 1.6's inline functions are not
// C++.
#define _TRACE_FS_H  // NOLINT: its own guard
#include <trace-cmd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/format.h"
#include "record/kvm_decoder.h"
#include "record/trace_dat_child.h"

namespace iovm::record::tracecmd {
namespace {

// Messages to the parent, gathered into large writes. A parent that is gone ends the process.
class Outbox {
 public:
  explicit Outbox(int fd) : fd_(fd) {}
  ~Outbox() { flush(); }

  void put(MessageHead head, std::string_view payload) {
    head.bytes = static_cast<std::uint32_t>(std::min(payload.size(), kMostPayload));
    std::string_view fixed(reinterpret_cast<const char*>(&head), sizeof head);
    data_.append(fixed).append(payload.substr(0, head.bytes));
    if (data_.size() > kFlushAt) flush();
  }
  void put(MessageKind kind, std::string_view payload) {
    MessageHead head;
    head.kind = kind;
    put(head, payload);
  }
  void flush() {
    auto written = write_full(fd_, std::as_bytes(std::span(data_)));
    if (!written) ::_exit(1);
    data_.clear();
  }

 private:
  static constexpr std::size_t kFlushAt = 128U << 10;
  int fd_;
  std::string data_;
};

// The format text again, as the kernel wrote it, from what the library made of it.
std::string format_text(const tep_event& event) {
  std::string text = format("name: {}\nID: {}\nformat:\n", event.name, event.id);
  auto add = [&](const tep_format_field* field) {
    for (; field != nullptr; field = field->next) {
      format_to(std::back_inserter(text), "\tfield:{} {};\toffset:{};\tsize:{};\tsigned:{};\n",
                field->type, field->name, field->offset, field->size,
                (field->flags & TEP_FIELD_IS_SIGNED) != 0 ? 1 : 0);
    }
    text += "\n";
  };
  add(event.format.common_fields);
  add(event.format.fields);
  return text + "print fmt: \"\"\n";
}

struct Reading {
  Outbox& out;
  tep_handle* tep;
  std::vector<int> ids;  // of KVM's I/O tracepoints
  std::unordered_set<int> tids;
  bool first_pass = true;

  bool is_ours(tep_record* record) const {
    return std::find(ids.begin(), ids.end(), tep_data_type(tep, record)) != ids.end();
  }
};

int on_record(tracecmd_input*, tep_record* record, int, void* context) {
  auto& reading = *static_cast<Reading*>(context);
  int tid = tep_data_pid(reading.tep, record);
  bool ours = reading.is_ours(record);
  if (reading.first_pass) {
    if (ours) reading.tids.insert(tid);
    return 0;
  }
  MessageHead head;
  head.tid = tid;
  head.time = record->ts;
  if (record->missed_events != 0) {
    head.kind = MessageKind::missed;
    head.count = record->missed_events > 0 ? static_cast<std::uint64_t>(record->missed_events) : 0;
    reading.out.put(head, {});
  }
  if (ours && record->size > 0) {
    head.kind = MessageKind::record;
    head.count = 0;
    reading.out.put(
        head, {static_cast<const char*>(record->data), static_cast<std::size_t>(record->size)});
  }
  return 0;
}

// The file's buffer and those of its instances (trace-cmd record -B), which are read as one.
std::vector<tracecmd_input*> buffers_of(tracecmd_input* file) {
  std::vector<tracecmd_input*> buffers = {file};
  for (int i = 0; i < tracecmd_buffer_instances(file); ++i) {
    tracecmd_input* buffer = tracecmd_buffer_instance_handle(file, i);
    if (buffer != nullptr) buffers.push_back(buffer);
  }
  return buffers;
}

void pass(std::vector<tracecmd_input*>& buffers, Reading& reading) {
  // One list for all: the library merges CPUs and buffers by time.
  tracecmd_iterate_events_multi(buffers.data(), static_cast<int>(buffers.size()), on_record,
                                &reading);
}

void tell_threads(Reading& reading) {
  std::vector<int> tids(reading.tids.begin(), reading.tids.end());
  std::sort(tids.begin(), tids.end());
  for (int tid : tids) {
    const char* comm = tep_data_comm_from_pid(reading.tep, tid);
    MessageHead head;
    head.kind = MessageKind::thread;
    head.tid = tid;
    reading.out.put(head, comm == nullptr ? std::string_view() : std::string_view(comm));
  }
}

}  // namespace

int read_trace_dat(int file, int out_fd) {
  Outbox out(out_fd);
  tracecmd_set_loglevel(TEP_LOG_NONE);
  auto open = [&] { return tracecmd_open_fd(::dup(file), TRACECMD_FL_LOAD_NO_PLUGINS); };
  tracecmd_input* handle = open();
  if (handle == nullptr) return out.put(MessageKind::refused, "libtracecmd cannot read it"), 0;
  Reading reading{out, tracecmd_get_tep(handle), {}, {}, true};
  for (std::string_view name : kIoTracepoints) {
    tep_event* event = tep_find_event_by_name(reading.tep, "kvm", std::string(name).c_str());
    if (event == nullptr) continue;
    reading.ids.push_back(event->id);
    out.put(MessageKind::format, format_text(*event));
  }
  std::vector<tracecmd_input*> buffers = buffers_of(handle);
  pass(buffers, reading);
  tell_threads(reading);
  out.put(MessageKind::ready, {});
  // Reading on from the start again: a second handle, as the first is at its end.
  ::lseek(file, 0, SEEK_SET);
  handle = open();
  if (handle == nullptr) return out.put(MessageKind::refused, "libtracecmd cannot read it"), 0;
  reading.tep = tracecmd_get_tep(handle);
  reading.first_pass = false;
  buffers = buffers_of(handle);
  pass(buffers, reading);
  out.put(MessageKind::end, {});
  return 0;
}

}  // namespace iovm::record::tracecmd
