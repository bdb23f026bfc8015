// SPDX-License-Identifier: Apache-2.0
#include "analyze/parquet.h"

#include <array>
#include <deque>
#include <limits>
#include <optional>

#include "analyze/duckdb.h"
#include "base/format.h"
#include "base/fresh_file.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

using trace::Event;
using trace::EventKind;
using trace::Field;

// duckdb_type, as far as it is used.
enum class Type : int {
  int64 = 5,
  uint8 = 6,
  uint16 = 7,
  uint32 = 8,
  uint64 = 9,
  text = 17,
  time_ns = 22,
};

// An event and the texts around it that are not ready in it.
struct Row {
  const ListedEvent& listed;
  const Event& event;
  const trace::GuestProcess* process;  // none: unknown
  std::string_view comm;
  std::string_view how;
  std::optional<std::string_view> vm;

  bool is_loss() const { return event.kind == EventKind::loss; }
};

using Number = std::optional<std::uint64_t>;
using Text = std::optional<std::string_view>;

struct Column {
  const char* name;
  Type type;
  Number (*number)(const Row&);
  Text (*text)(const Row&) = nullptr;
};

constexpr Column of_number(const char* name, Type type, Number (*get)(const Row&)) {
  return {name, type, get};
}
constexpr Column of_text(const char* name, Text (*get)(const Row&)) {
  return {name, Type::text, nullptr, get};
}

Number known(const Row& row, Field field, std::uint64_t number) {
  return row.event.has(field) ? Number(number) : std::nullopt;
}
// pid_t's -1 is "unknown".
Number known_id(const Row& row, std::int64_t trace::GuestProcess::*id) {
  if (row.process == nullptr || row.process->*id < 0) return std::nullopt;
  return static_cast<std::uint64_t>(row.process->*id);
}
Text not_empty(std::string_view text) {
  return text.empty() ? std::nullopt : Text(text);
}

Number utc(const Row& row) {
  std::int64_t offset = row.listed.context.info.utc_offset_ns;
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  std::int64_t at = 0;
  if (offset == 0 || row.event.time > kMost) return std::nullopt;
  if (__builtin_add_overflow(static_cast<std::int64_t>(row.event.time), offset, &at) || at < 0 ||
      at == std::numeric_limits<std::int64_t>::max())  // DuckDB's word for infinity
    return std::nullopt;
  return static_cast<std::uint64_t>(at);
}

constexpr std::array kColumns = {
    of_number("event", Type::uint64, [](const Row& r) { return Number(r.listed.number); }),
    of_number("time_ns", Type::uint64, [](const Row& r) { return Number(r.event.time); }),
    of_number("time", Type::time_ns, utc),
    of_text("vm", [](const Row& r) { return r.vm; }),
    of_number(
        "vm_number", Type::uint16,
        [](const Row& r) { return r.event.vm == trace::kAllVms ? Number() : Number(r.event.vm); }),
    of_number("vcpu", Type::uint16,
              [](const Row& r) { return known(r, Field::vcpu, r.event.vcpu); }),
    of_text("kind", [](const Row& r) { return Text(trace::name_of(r.event.kind)); }),
    of_text("direction",
            [](const Row& r) {
              bool writes = r.event.direction == trace::Direction::write;
              return r.is_loss() ? Text() : Text(writes ? "write" : "read");
            }),
    of_number("address", Type::uint64,
              [](const Row& r) { return r.is_loss() ? Number() : Number(r.event.address); }),
    of_number("size", Type::uint8,
              [](const Row& r) { return known(r, Field::size, r.event.size); }),
    of_number("value", Type::uint64,
              [](const Row& r) {
                return r.is_loss() ? Number() : known(r, Field::value, r.event.value);
              }),
    of_number("count", Type::uint32,
              [](const Row& r) { return known(r, Field::count, r.event.count); }),
    of_number("cr3", Type::uint64, [](const Row& r) { return known(r, Field::cr3, r.event.cr3); }),
    of_number("rip", Type::uint64, [](const Row& r) { return known(r, Field::rip, r.event.rip); }),
    of_number("cpl", Type::uint8, [](const Row& r) { return known(r, Field::cpl, r.event.cpl); }),
    of_number("pid", Type::int64,
              [](const Row& r) { return known_id(r, &trace::GuestProcess::pid); }),
    of_number("tgid", Type::int64,
              [](const Row& r) { return known_id(r, &trace::GuestProcess::tgid); }),
    of_number("start_ns", Type::uint64,
              [](const Row& r) {
                bool has = r.process != nullptr && r.process->start_ns != 0;
                return has ? Number(r.process->start_ns) : Number();
              }),
    of_text("comm", [](const Row& r) { return r.process == nullptr ? Text() : Text(r.comm); }),
    of_text("process_kind",
            [](const Row& r) {
              bool has = r.process != nullptr && r.process->kind != trace::ProcessKind::unknown;
              return has ? Text(trace::name_of(r.process->kind)) : Text();
            }),
    of_text("confidence",
            [](const Row& r) {
              return r.process == nullptr ? Text() : Text(trace::name_of(r.process->confidence));
            }),
    of_text("how", [](const Row& r) { return not_empty(r.how); }),
    of_text("device", [](const Row& r) { return not_empty(r.listed.label.key); }),
    of_text("place", [](const Row& r) { return not_empty(r.listed.label.place); }),
    of_text("register", [](const Row& r) { return not_empty(r.listed.label.reg); }),
    of_text("cause",
            [](const Row& r) {
              return r.is_loss() ? Text(trace::name_of(trace::loss_of(r.event).cause)) : Text();
            }),
    of_number("lost", Type::uint64,
              [](const Row& r) {
                return r.is_loss() ? Number(trace::loss_of(r.event).count) : Number();
              }),
};

// One column of a chunk that DuckDB wants filled.
class Cells {
 public:
  Cells(const DuckDbFunctions& functions, void* vector, const Column& column)
      : functions_(functions),
        vector_(vector),
        data_(functions.vector_get_data(vector)),
        column_(column) {}

  void put(std::uint64_t at, const Row& row) {
    if (column_.text != nullptr) {
      Text text = column_.text(row);
      if (!text) return put_nothing(at);
      functions_.vector_assign_string_element_len(vector_, at, text->data(), text->size());
    } else {
      Number number = column_.number(row);
      if (!number) return put_nothing(at);
      put_number(at, *number);
    }
  }

 private:
  void put_nothing(std::uint64_t at) {
    functions_.vector_ensure_validity_writable(vector_);
    functions_.validity_set_row_invalid(functions_.vector_get_validity(vector_), at);
  }
  template <typename Stored>
  void store(std::uint64_t at, std::uint64_t number) {
    static_cast<Stored*>(data_)[at] = static_cast<Stored>(number);
  }
  void put_number(std::uint64_t at, std::uint64_t number) {
    switch (column_.type) {
      case Type::uint8:
        return store<std::uint8_t>(at, number);
      case Type::uint16:
        return store<std::uint16_t>(at, number);
      case Type::uint32:
        return store<std::uint32_t>(at, number);
      default:
        return store<std::uint64_t>(at, number);
    }
  }

  const DuckDbFunctions& functions_;
  void* vector_;
  void* data_;
  const Column& column_;
};

// The events as the table that DuckDB reads. It is called back on the caller's thread.
class EventsTable {
 public:
  EventsTable(const DuckDbFunctions& functions, EventWalk& events)
      : functions_(functions), events_(events) {}

  void bind(void* info) const {
    for (const Column& column : kColumns) {
      void* type = functions_.create_logical_type(static_cast<int>(column.type));
      functions_.bind_add_result_column(info, column.name, type);
      functions_.destroy_logical_type(&type);
    }
  }

  // A chunk without rows is the end.
  void fill(void* chunk) {
    std::array<std::optional<Cells>, kColumns.size()> cells;
    for (std::size_t i = 0; i < kColumns.size(); ++i)
      cells[i].emplace(functions_, functions_.data_chunk_get_vector(chunk, i), kColumns[i]);
    std::uint64_t rows = 0;
    for (std::uint64_t most = functions_.vector_size(); rows < most; ++rows) {
      const ListedEvent* listed = next();
      if (listed == nullptr) break;
      Row row = row_of(*listed);
      for (auto& column : cells) column->put(rows, row);
    }
    functions_.data_chunk_set_size(chunk, rows);
  }

  // What went wrong with the trace, if anything.
  Status trouble() { return std::move(trouble_); }

 private:
  // The texts of one entry of the trace's tables, ready for DuckDB.
  struct Texts {
    std::string comm;
    std::string how;
  };

  const ListedEvent* next() {
    while (!ended_) {
      if (const ListedEvent* listed = events_.next()) return listed;
      auto more = events_.read();
      ended_ = !more || !*more;
      if (!more) trouble_ = std::move(more).error();
    }
    return nullptr;
  }

  Row row_of(const ListedEvent& listed) {
    const Event& event = listed.event;
    Row row = {listed, event, nullptr, {}, {}, {}};
    const trace::Context& context = listed.context;
    for (; vms_.size() < context.vms.size();)
      vms_.push_back(valid_utf8(context.vms[vms_.size()].name));
    if (event.vm < vms_.size()) row.vm = vms_[event.vm];
    if (row.is_loss() || !event.knows_process()) return row;
    for (; processes_.size() < context.processes.size();) {
      const trace::GuestProcess& process = context.processes[processes_.size()];
      processes_.push_back({valid_utf8(process.comm), valid_utf8(process.how)});
    }
    row.process = &context.processes[event.process];
    row.comm = processes_[event.process].comm;
    row.how = processes_[event.process].how;
    return row;
  }

  const DuckDbFunctions& functions_;
  EventWalk& events_;
  bool ended_ = false;
  Status trouble_;
  std::deque<std::string> vms_;
  std::deque<Texts> processes_;
};

constexpr const char* kTable = "iovm_events";

const DuckDbFunctions& loaded() {
  auto functions = DuckDbFunctions::load();
  return **functions;
}

Status register_table(const DuckDb& database, EventsTable& table) {
  const DuckDbFunctions& f = database.functions();
  void* function = f.create_table_function();
  f.table_function_set_name(function, kTable);
  f.table_function_set_extra_info(function, &table, [](void*) {});
  f.table_function_set_bind(function, [](void* info) {
    static_cast<EventsTable*>(loaded().bind_get_extra_info(info))->bind(info);
  });
  f.table_function_set_init(function, [](void* info) { loaded().init_set_max_threads(info, 1); });
  f.table_function_set_function(function, [](void* info, void* chunk) {
    static_cast<EventsTable*>(loaded().function_get_extra_info(info))->fill(chunk);
  });
  bool done = f.register_table_function(database.connection(), function) == 0;
  f.destroy_table_function(&function);
  return done ? Status() : Status(host_error("DuckDB takes no table of ours"));
}

// DuckDB speaks of the file by the name that it was given.
Error in_users_words(const Error& error, const std::string& name, const std::string& path) {
  std::string text = error.message();
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at))
    text.replace(at, name.size(), path), at += path.size();
  return host_error(format("writing Parquet: {}", escape_terminal(text)));
}

}  // namespace

Status write_parquet(EventWalk& events, const std::string& path) {
  auto database = DuckDb::open();
  if (!database) return std::move(database).error();
  auto file = FreshFile::create(path);
  if (!file) return std::move(file).error();
  EventsTable table(database->functions(), events);
  if (auto ready = register_table(*database, table); !ready) return ready;
  std::string name = format("/proc/self/fd/{}", file->fd());
  auto copied = database->query(
      format("COPY (FROM {}()) TO '{}' (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
             kTable, name));
  if (!copied) return in_users_words(copied.error(), name, path);
  if (auto kept = file->keep(); !kept) return kept;
  return table.trouble();
}

}  // namespace iovm::analyze
