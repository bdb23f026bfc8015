// SPDX-License-Identifier: Apache-2.0
//
// Writes perf.data for tests, byte by byte and independently of the reader: events of 6.1's kvm
// tracepoints in any sample layout, as a file or as a pipe. What perf itself writes is in
// tests/data/import; this is for what perf does seldom or never.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace iovm::record {

class PerfDataBuilder {
 public:
  // Bits as in linux/perf_event.h.
  std::uint64_t sample_type = 1 << 1 | 1 << 2 | 1 << 10;  // TID, TIME, RAW
  std::uint64_t read_format = 0;
  bool id_all = true;
  bool with_formats = true;
  std::vector<std::vector<std::uint64_t>> ids = {{}};  // one list for each event (attribute)
  std::vector<std::uint64_t> configs = {kPio};
  std::string records;

  // Ids of the tracepoints in tests/data/tracefs-6.1.
  static constexpr std::uint64_t kPio = 1444;
  static constexpr std::uint64_t kMmio = 1373;

  template <typename T>
  static std::string le(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string record(std::uint32_t type, const std::string& body, std::uint16_t misc = 0) {
    return le(type) + le(misc) + le(static_cast<std::uint16_t>(8 + body.size())) + body;
  }
  static std::string padded(std::string text) {
    text.resize((text.size() + 8) / 8 * 8);
    return text;
  }

  static std::string pio(std::uint32_t port, std::uint32_t value, bool write = true) {
    std::string common =
        le(static_cast<std::uint16_t>(kPio)) + le(std::uint16_t{0}) + le(std::int32_t{7});
    return common + le(std::uint32_t{write}) + le(port) + le(std::uint32_t{1}) +
           le(std::uint32_t{1}) + le(value);
  }
  static std::string mmio(std::uint32_t type, std::uint64_t address, std::uint64_t value) {
    std::string common =
        le(static_cast<std::uint16_t>(kMmio)) + le(std::uint16_t{0}) + le(std::int32_t{7});
    return common + le(type) + le(std::uint32_t{4}) + le(address) + le(value);
  }

  // The fields of sample_type in perf's order; those that do not matter are filled with 0xee.
  std::string sample(std::int32_t pid, std::int32_t tid, std::uint64_t time, const std::string& raw,
                     std::uint64_t id = 0) const {
    std::string body;
    auto has = [&](int bit) { return (sample_type >> bit & 1) != 0; };
    std::string other(8, '\xee');
    if (has(16)) body += le(id);
    if (has(0)) body += other;
    if (has(1)) body += le(pid) + le(tid);
    if (has(2)) body += le(time);
    if (has(3)) body += other;
    if (has(6)) body += le(id);
    if (has(9)) body += other;
    if (has(7)) body += other;
    if (has(8)) body += other;
    if (has(4)) body += read_values();
    if (has(5)) body += le(std::uint64_t{2}) + other + other;
    if (has(10)) body += padded_raw(raw);
    return record(9, body);
  }
  std::string trailer(std::int32_t pid, std::int32_t tid, std::uint64_t time,
                      std::uint64_t id = 0) const {
    if (!id_all) return {};
    std::string body;
    auto has = [&](int bit) { return (sample_type >> bit & 1) != 0; };
    if (has(1)) body += le(pid) + le(tid);
    if (has(2)) body += le(time);
    if (has(6)) body += le(id);
    if (has(9)) body += std::string(8, '\xee');
    if (has(7)) body += std::string(8, '\xee');
    if (has(16)) body += le(id);
    return body;
  }
  std::string comm(std::int32_t pid, std::int32_t tid, const std::string& name) const {
    return record(3, le(pid) + le(tid) + padded(name) + trailer(pid, tid, 0));
  }
  std::string lost(std::uint64_t count, std::uint64_t time) const {
    return record(2, le(std::uint64_t{0}) + le(count) + trailer(-1, -1, time));
  }
  std::string lost_samples(std::uint64_t count, std::uint16_t misc = 0) const {
    return record(13, le(count) + trailer(-1, -1, 0), misc);
  }
  static std::string round() { return record(68, {}); }

  std::string file() const {
    std::string table, id_bytes, features;
    std::size_t id_at = 104 + configs.size() * (kAttrBytes + 16);
    for (std::size_t i = 0; i < configs.size(); ++i) {
      table += attr(i) + le(std::uint64_t{id_at + id_bytes.size()}) +
               le(std::uint64_t{ids[i].size() * 8});
      for (std::uint64_t id : ids[i]) id_bytes += le(id);
    }
    std::uint64_t data_at = id_at + id_bytes.size();
    std::string formats = tracing_data();
    std::uint64_t feature_at = data_at + records.size() + 16;
    features = le(feature_at) + le(std::uint64_t{formats.size()}) + formats;
    std::string head = "PERFILE2" + le(std::uint64_t{104}) + le(std::uint64_t{kAttrBytes + 16}) +
                       le(std::uint64_t{104}) + le(std::uint64_t{table.size()}) + le(data_at) +
                       le(std::uint64_t{records.size()}) + std::string(16, '\0') +
                       le(std::uint64_t{with_formats ? 2u : 0u}) + std::string(24, '\0');
    return head + table + id_bytes + records + (with_formats ? features : std::string());
  }

  std::string pipe() const {
    std::string text = "PERFILE2" + le(std::uint64_t{16});
    for (std::size_t i = 0; i < configs.size(); ++i) {
      std::string id_bytes;
      for (std::uint64_t id : ids[i]) id_bytes += le(id);
      text += record(64, attr(i) + id_bytes);
    }
    if (with_formats) {
      std::string formats = tracing_data();
      text += record(66, le(static_cast<std::uint32_t>(formats.size())));
      formats.resize((formats.size() + 7) / 8 * 8);
      text += formats;
    }
    return text + records;
  }

  static std::string tracing_data() {
    auto counted = [](const std::string& text) { return le(std::uint64_t{text.size()}) + text; };
    std::string z(1, '\0');
    std::string text =
        std::string("\x17\x08\x44tracing", 10) + "0.6" + z + z + "\x08" + le(std::uint32_t{4096});
    text += "header_page" + z + counted("page") + "header_event" + z + counted("event");
    text += le(std::uint32_t{1}) + counted("some ftrace format");
    text +=
        le(std::uint32_t{2}) + "sched" + z + le(std::uint32_t{1}) + counted("name: sched_switch\n");
    text += "kvm" + z + le(std::uint32_t{2}) + counted(format_text("kvm_pio")) +
            counted(format_text("kvm_mmio"));
    return text + le(std::uint32_t{0}) + le(std::uint32_t{0}) + le(std::uint64_t{0});
  }

 private:
  static constexpr std::size_t kAttrBytes = 128;

  static std::string padded_raw(const std::string& raw) {
    // perf pads so that size word and data together are a multiple of 8.
    std::size_t size = (raw.size() + 4 + 7) / 8 * 8 - 4;
    std::string bytes = raw;
    bytes.resize(size);
    return le(static_cast<std::uint32_t>(size)) + bytes;
  }
  std::string read_values() const {
    auto has = [&](int bit) { return (read_format >> bit & 1) != 0; };
    std::string other(8, '\xee'), each = other, times;
    if (has(2)) each += other;
    if (has(4)) each += other;
    if (has(0)) times += other;
    if (has(1)) times += other;
    if (!has(3)) return other + times + each.substr(8);
    return le(std::uint64_t{2}) + times + each + each;
  }
  std::string attr(std::size_t i) const {
    std::string text = le(std::uint32_t{2}) + le(std::uint32_t{kAttrBytes}) + le(configs[i]) +
                       le(std::uint64_t{1}) + le(sample_type) + le(read_format) +
                       le(std::uint64_t{id_all ? 1u << 18 : 0u});
    text.resize(kAttrBytes);
    return text;
  }
  static std::string format_text(const std::string& name) {
    std::ifstream file(std::string(IOVM_TEST_DATA) + "/tracefs-6.1/events/kvm/" + name + "/format");
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace iovm::record
