// SPDX-License-Identifier: Apache-2.0
//
// JSON as values go out: keys in the order written, strings made valid UTF-8 (a byte that is not
// becomes U+FFFD), control characters escaped. RapidJSON does the work inside json.cc; it writes
// ten times faster than the other candidates. Reading JSON is in JsonValue below.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace iovm {

//   JsonWriter json;
//   json.begin_object().key("events").value(12).key("lost").begin_array().end_array().end_object();
//   puts(json.take().c_str());
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(JsonWriter&&) noexcept;
  JsonWriter& operator=(JsonWriter&&) noexcept;

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(double number);  // not finite: null
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(unsigned number) { return value(static_cast<std::uint64_t>(number)); }
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& null();

  // key + value in one.
  template <typename T>
  JsonWriter& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  template <typename T>
  JsonWriter& member(std::string_view name, const std::optional<T>& v) {
    return v ? key(name).value(*v) : key(name).null();
  }

  // The text written so far; the writer starts anew.
  std::string take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A parsed JSON text. Lookups on what is not there give nothing, never an error: callers check what
// they need. Depth and size of the input are limited by the parser (stack-free) and the caller.
class JsonValue {
 public:
  static Result<JsonValue> parse(std::string_view text);
  ~JsonValue();
  JsonValue(const JsonValue&);
  JsonValue& operator=(const JsonValue&);

  // The member by name; dots do not descend. The result shares the parsed text's memory.
  std::optional<JsonValue> member(std::string_view name) const;
  std::size_t size() const;  // of an array, else 0
  JsonValue at(std::size_t index) const;
  std::optional<std::string> text() const;
  std::optional<double> number() const;
  std::optional<std::uint64_t> whole() const;
  std::optional<bool> flag() const;

 private:
  struct State;
  JsonValue(std::shared_ptr<State> state, const void* node);
  std::shared_ptr<State> state_;
  const void* node_;
};

}  // namespace iovm
