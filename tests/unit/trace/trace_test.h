// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the trace tests: a folder that goes away, files as strings of bytes, recordings
// small enough to cut and flip at every byte, and what a reader makes of a file in one value.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/fd.h"
#include "trace/reader.h"
#include "trace/writer.h"

namespace iovm::trace {

// Everything that a reader gives.
struct ReadBack {
  std::string error;  // of open() or next()
  std::vector<Event> events;
  Context context;
  std::vector<Damage> damage;
  bool ended_early = false;

  std::vector<Event> without_losses() const {
    std::vector<Event> out;
    for (const Event& event : events)
      if (event.kind != EventKind::loss) out.push_back(event);
    return out;
  }
  std::vector<Event> losses() const {
    std::vector<Event> out;
    for (const Event& event : events)
      if (event.kind == EventKind::loss) out.push_back(event);
    return out;
  }
};

class TraceTest : public testing::Test {
 protected:
  TraceTest() {
    std::string pattern = testing::TempDir() + "iovm-trace-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TraceTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  static std::string bytes_of(const std::string& file) {
    auto content = read_file(file, 1U << 30);
    EXPECT_TRUE(content) << content.error().message();
    return content ? *content : "";
  }

  // A recording of `events`, written `batch` at a time; a block each if `block_per_batch`.
  std::string written(const std::vector<Event>& events, std::size_t batch = 1000,
                      bool block_per_batch = false) {
    WriterOptions options = options_;
    if (block_per_batch) options.flush_after = std::chrono::nanoseconds(0);
    auto writer = TraceWriter::create(path("out.iovm"), context_.info, options);
    EXPECT_TRUE(writer) << writer.error().message();
    for (std::size_t i = 0; i < events.size(); i += batch) {
      auto piece = std::span(events).subspan(i, std::min(batch, events.size() - i));
      auto done = (*writer)->write(context_, piece);
      EXPECT_TRUE(done) << done.error().message();
    }
    auto done = (*writer)->finish();
    EXPECT_TRUE(done) << done.error().message();
    stats_ = (*writer)->stats();
    return bytes_of(path("out.iovm"));
  }

  static ReadBack read(const std::string& file, ReadOptions options = {}) {
    ReadBack back;
    auto reader = TraceReader::open(file, options);
    if (!reader) {
      back.error = reader.error().message();
      return back;
    }
    for (;;) {
      auto batch = (*reader)->next();
      if (!batch) back.error = batch.error().message();
      if (!batch || batch->empty()) break;
      back.events.insert(back.events.end(), batch->begin(), batch->end());
    }
    back.context = (*reader)->context();
    back.damage = (*reader)->damage();
    back.ended_early = (*reader)->ended_early();
    return back;
  }
  ReadBack read_bytes(std::string_view bytes, ReadOptions options = {}) {
    auto done = write_file(path("in.iovm"), bytes);
    EXPECT_TRUE(done);
    return read(path("in.iovm"), options);
  }

  // What a Linux guest does with its PCI bus: pairs of OUT 0xcf8 and IN 0xcfc.
  static std::vector<Event> pci_scan(std::size_t count, std::uint64_t start = 1'000'000) {
    std::vector<Event> events(count);
    std::minstd_rand random(7);
    for (std::size_t i = 0; i < count; ++i) {
      Event& event = events[i];
      bool out = i % 2 == 0;
      start += 1000 + random() % 50'000;
      event.time = start;
      event.address = out ? 0xcf8 : 0xcfc;
      event.direction = out ? Direction::write : Direction::read;
      event.process = static_cast<std::uint32_t>(i / 50 % 3);
      set_value(event, out ? 0x80000000 + i * 4 : random());
      set_size(event, 4);
      set_count(event, 1);
      set_vcpu(event, static_cast<std::uint16_t>(i % 3 == 0));
      set_rip(event, 0xffffffff81dd32ae + (out ? 0 : 6));
      set_cr3(event, 0x10a4000 + i / 50 % 3 * 0x1000);
      set_cpl(event, 0);
    }
    return events;
  }

  // Every bit of every field, nothing like a real recording.
  static std::vector<Event> any_bits(std::size_t count, unsigned seed = 1) {
    std::vector<Event> events(count);
    std::mt19937_64 random(seed);
    for (Event& event : events) {
      auto bits = [&] { return random() >> (random() % 64); };
      event = {.time = bits(),
               .address = bits(),
               .value = bits(),
               .rip = bits(),
               .cr3 = bits(),
               .count = static_cast<std::uint32_t>(bits()),
               .process = static_cast<std::uint32_t>(random() % 3),
               .vcpu = static_cast<std::uint16_t>(bits()),
               .vm = static_cast<std::uint16_t>(random() % 2),
               .kind = static_cast<EventKind>(random() % kEventKinds),
               .direction = static_cast<Direction>(random() % 2),
               .size = static_cast<std::uint8_t>(bits()),
               .cpl = static_cast<std::uint8_t>(bits()),
               .present = static_cast<std::uint8_t>(bits() & 0x7f),
               .spare = {}};
    }
    return events;
  }

  static Context some_context() {
    Context context;
    context.info.id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    context.info.source = "bpf";
    context.info.tool = "iovm test";
    context.info.host = "host\n\xff";
    context.info.kernel = "6.1.0-13-amd64";
    context.info.utc_offset_ns = -12345;
    context.info.notes = {{"name", "a test"}, {"guest", "L2-UP 1.0"}};
    context.vms = {{"web-1", "", "qemu", 77, 2, 1U << 30}, {"db-1", "u", "firecracker", -1, 1, 0}};
    for (int i = 0; i < 3; ++i) {
      GuestProcess process;
      process.pid = process.tgid = i;
      process.comm = std::string("p\0q", 3) + std::to_string(i);
      process.kind = ProcessKind::user;
      process.confidence = Confidence::high;
      process.start_ns = 99;
      process.how = "current task";
      context.processes.push_back(process);
    }
    return context;
  }

  std::string folder_;
  Context context_ = some_context();
  WriterOptions options_;
  WriterStats stats_;
};

}  // namespace iovm::trace
