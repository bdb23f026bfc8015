// SPDX-License-Identifier: Apache-2.0
//
// Errors are values with a place. A function that can fail returns Result<T>: the value, or an
// Error that says what went wrong and, after each `.in("opening trace.iovm")` on its way up, where.
// It is printed once, in main, which also turns its Fault into the exit code. Nothing in iovm
// throws past a folder's border; bugs are IOVM_ASSERT (base/assert.h).
//
//   auto fd = open_file(path);
//   if (!fd) return std::move(fd).error().in("reading the model");
//
// g++ 12 has no std::expected; this is the small part of it that is used here.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace iovm {

// The kind of a failure; its number is the exit code of the command that ends with it.
enum class Fault : int {
  usage = 2,  // the command line is wrong
  input = 3,  // bad, damaged or unsupported input
  host = 4,   // this host cannot: a right, device, feature or space is missing
  loss = 5,   // more events were lost than the user allows
  bug = 70,
};

class [[nodiscard]] Error {
 public:
  Error(Fault fault, std::string message) : fault_(fault), message_(std::move(message)) {}

  Fault fault() const { return fault_; }
  const std::string& message() const { return message_; }

  // Puts the place in front: "PLACE: message".
  Error in(std::string_view place) && {
    message_.insert(0, ": ").insert(0, place);
    return std::move(*this);
  }

 private:
  Fault fault_;
  std::string message_;
};

inline Error usage_error(std::string message) {
  return {Fault::usage, std::move(message)};
}
inline Error input_error(std::string message) {
  return {Fault::input, std::move(message)};
}
inline Error host_error(std::string message) {
  return {Fault::host, std::move(message)};
}
// `what` failed with errno: "what: No space left on device". The fault is the host's.
Error errno_error(std::string_view what, int error_number);
Error errno_error(std::string_view what);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() & { return *std::get_if<0>(&state_); }
  const T& operator*() const& { return *std::get_if<0>(&state_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

// A Result without a value: done, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() : state_(std::in_place_index<0>) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<std::monostate, Error> state_;
};

using Status = Result<void>;

}  // namespace iovm
