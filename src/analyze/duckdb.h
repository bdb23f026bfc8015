// SPDX-License-Identifier: Apache-2.0
//
// DuckDB's library, for Parquet: loaded at run time if it is there, by the functions of its C API
// that are used, looked up by name. Its header is not needed to build, it is not needed to run.
//
// The library is told to stay within the process: one thread (the caller's), bounded memory,
// nothing spilled to disk, no extension loaded or fetched, no configuration of the user's read.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace iovm::analyze {

// The functions, and the types of their header as far as they are passed on: handles are pointers,
// duckdb_state is an int that is 0 if all is well, duckdb_type a number.
struct DuckDbFunctions {
  using Handle = void*;
  using Callback = void (*)(Handle info);
  using FillCallback = void (*)(Handle info, Handle chunk);
  // duckdb_result: six words in every version so far, and room for more.
  struct QueryResult {
    std::uint64_t words[16] = {};
  };

  int (*create_config)(Handle*) = nullptr;
  int (*set_config)(Handle, const char*, const char*) = nullptr;
  void (*destroy_config)(Handle*) = nullptr;
  int (*open_ext)(const char*, Handle*, Handle, char**) = nullptr;
  void (*close)(Handle*) = nullptr;
  int (*connect)(Handle, Handle*) = nullptr;
  void (*disconnect)(Handle*) = nullptr;
  int (*query)(Handle, const char*, QueryResult*) = nullptr;
  const char* (*result_error)(QueryResult*) = nullptr;
  void (*destroy_result)(QueryResult*) = nullptr;
  void (*free)(void*) = nullptr;

  Handle (*create_logical_type)(int) = nullptr;
  void (*destroy_logical_type)(Handle*) = nullptr;
  Handle (*create_table_function)() = nullptr;
  void (*destroy_table_function)(Handle*) = nullptr;
  void (*table_function_set_name)(Handle, const char*) = nullptr;
  void (*table_function_set_extra_info)(Handle, void*, void (*)(void*)) = nullptr;
  void (*table_function_set_bind)(Handle, Callback) = nullptr;
  void (*table_function_set_init)(Handle, Callback) = nullptr;
  void (*table_function_set_function)(Handle, FillCallback) = nullptr;
  int (*register_table_function)(Handle, Handle) = nullptr;
  void* (*bind_get_extra_info)(Handle) = nullptr;
  void (*bind_add_result_column)(Handle, const char*, Handle) = nullptr;
  void (*init_set_max_threads)(Handle, std::uint64_t) = nullptr;
  void* (*function_get_extra_info)(Handle) = nullptr;

  std::uint64_t (*vector_size)() = nullptr;
  Handle (*data_chunk_get_vector)(Handle, std::uint64_t) = nullptr;
  void (*data_chunk_set_size)(Handle, std::uint64_t) = nullptr;
  void* (*vector_get_data)(Handle) = nullptr;
  void (*vector_ensure_validity_writable)(Handle) = nullptr;
  std::uint64_t* (*vector_get_validity)(Handle) = nullptr;
  void (*validity_set_row_invalid)(std::uint64_t*, std::uint64_t) = nullptr;
  void (*vector_assign_string_element_len)(Handle, std::uint64_t, const char*,
                                           std::uint64_t) = nullptr;

  // Looked up once for the process, since DuckDB's callbacks need them and cannot be handed any.
  static Result<const DuckDbFunctions*> load();
};

// A database in memory and a connection to it.
class DuckDb {
 public:
  using Handle = DuckDbFunctions::Handle;

  static Result<DuckDb> open();
  DuckDb(DuckDb&& other) noexcept;
  DuckDb& operator=(DuckDb&&) = delete;
  ~DuckDb();

  const DuckDbFunctions& functions() const { return functions_; }
  Handle connection() const { return connection_; }
  // An error has DuckDB's words.
  Status query(const std::string& sql) const;

 private:
  explicit DuckDb(const DuckDbFunctions& functions) : functions_(functions) {}
  Status start();

  const DuckDbFunctions& functions_;
  Handle database_ = nullptr;
  Handle connection_ = nullptr;
};

}  // namespace iovm::analyze
