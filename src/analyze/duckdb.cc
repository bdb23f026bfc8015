// SPDX-License-Identifier: Apache-2.0
#include "analyze/duckdb.h"

#include <dlfcn.h>

#include <array>
#include <utility>

#include "base/format.h"
#include "base/text.h"

namespace iovm::analyze {
namespace {

// The library stays loaded: it has thread-local data that survives no dlclose().
class Lookup {
 public:
  explicit Lookup(void* library) : library_(library) {}

  template <typename Function>
  Lookup& find(Function& function, const char* name) {
    std::string symbol = format("duckdb_{}", name);
    function = reinterpret_cast<Function>(::dlsym(library_, symbol.c_str()));
    if (function == nullptr && missing_.empty()) missing_ = symbol;
    return *this;
  }
  const std::string& missing() const { return missing_; }

 private:
  void* library_;
  std::string missing_;
};

using Setting = std::pair<const char*, const char*>;
constexpr const char* kLibrary = "libduckdb.so";
constexpr std::array<Setting, 5> kSettings = {{
    {"threads", "1"},
    {"memory_limit", "1GB"},
    {"temp_directory", ""},
    {"autoinstall_known_extensions", "false"},
    {"autoload_known_extensions", "false"},
}};

Result<DuckDbFunctions> look_up() {
  void* handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return host_error(
        format("Parquet needs DuckDB's library ({}), and it cannot be loaded: {}; install it where "
               "the loader looks, or name its folder in LD_LIBRARY_PATH",
               kLibrary, why == nullptr ? "no reason given" : escape_terminal(why)));
  }
  DuckDbFunctions f;
  Lookup lookup(handle);
  lookup.find(f.create_config, "create_config")
      .find(f.set_config, "set_config")
      .find(f.destroy_config, "destroy_config")
      .find(f.open_ext, "open_ext")
      .find(f.close, "close")
      .find(f.connect, "connect")
      .find(f.disconnect, "disconnect")
      .find(f.query, "query")
      .find(f.result_error, "result_error")
      .find(f.destroy_result, "destroy_result")
      .find(f.free, "free")
      .find(f.create_logical_type, "create_logical_type")
      .find(f.destroy_logical_type, "destroy_logical_type")
      .find(f.create_table_function, "create_table_function")
      .find(f.destroy_table_function, "destroy_table_function")
      .find(f.table_function_set_name, "table_function_set_name")
      .find(f.table_function_set_extra_info, "table_function_set_extra_info")
      .find(f.table_function_set_bind, "table_function_set_bind")
      .find(f.table_function_set_init, "table_function_set_init")
      .find(f.table_function_set_function, "table_function_set_function")
      .find(f.register_table_function, "register_table_function")
      .find(f.bind_get_extra_info, "bind_get_extra_info")
      .find(f.bind_add_result_column, "bind_add_result_column")
      .find(f.init_set_max_threads, "init_set_max_threads")
      .find(f.function_get_extra_info, "function_get_extra_info")
      .find(f.vector_size, "vector_size")
      .find(f.data_chunk_get_vector, "data_chunk_get_vector")
      .find(f.data_chunk_set_size, "data_chunk_set_size")
      .find(f.vector_get_data, "vector_get_data")
      .find(f.vector_ensure_validity_writable, "vector_ensure_validity_writable")
      .find(f.vector_get_validity, "vector_get_validity")
      .find(f.validity_set_row_invalid, "validity_set_row_invalid")
      .find(f.vector_assign_string_element_len, "vector_assign_string_element_len");
  if (lookup.missing().empty()) return f;
  return host_error(format(
      "Parquet needs DuckDB's library, and {} has no {}: it is another library, or older than 1.0",
      kLibrary, lookup.missing()));
}

}  // namespace

Result<const DuckDbFunctions*> DuckDbFunctions::load() {
  static const Result<DuckDbFunctions> functions = look_up();
  if (!functions) return functions.error();
  return &*functions;
}

Result<DuckDb> DuckDb::open() {
  auto functions = DuckDbFunctions::load();
  if (!functions) return std::move(functions).error();
  DuckDb database(**functions);
  if (auto started = database.start(); !started) return std::move(started).error();
  return database;
}

Status DuckDb::start() {
  Handle config = nullptr;
  bool ready = functions_.create_config(&config) == 0;
  for (auto [name, value] : kSettings)
    ready = ready && functions_.set_config(config, name, value) == 0;
  char* why = nullptr;
  bool opened = ready && functions_.open_ext(nullptr, &database_, config, &why) == 0 &&
                functions_.connect(database_, &connection_) == 0;
  functions_.destroy_config(&config);
  Status status;
  if (!opened) {
    status = host_error(format("DuckDB cannot be started: {}",
                               why == nullptr ? "it does not say why" : escape_terminal(why)));
  }
  if (why != nullptr) functions_.free(why);
  return status;
}

DuckDb::DuckDb(DuckDb&& other) noexcept
    : functions_(other.functions_),
      database_(std::exchange(other.database_, nullptr)),
      connection_(std::exchange(other.connection_, nullptr)) {}

DuckDb::~DuckDb() {
  if (connection_ != nullptr) functions_.disconnect(&connection_);
  if (database_ != nullptr) functions_.close(&database_);
}

Status DuckDb::query(const std::string& sql) const {
  DuckDbFunctions::QueryResult result;
  bool done = functions_.query(connection_, sql.c_str(), &result) == 0;
  const char* why = done ? nullptr : functions_.result_error(&result);
  Status status;
  if (!done) status = host_error(why == nullptr ? "DuckDB does not say why" : why);
  functions_.destroy_result(&result);
  return status;
}

}  // namespace iovm::analyze
