// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cmath>

#include "base/assert.h"
#include "base/format.h"
#include "base/text.h"

namespace iovm {
namespace {

bool is_ascii(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

rapidjson::SizeType length_of(std::string_view text) {
  return static_cast<rapidjson::SizeType>(text.size());
}

}  // namespace

struct JsonWriter::State {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
};

JsonWriter::JsonWriter() : state_(std::make_unique<State>()) {}
JsonWriter::~JsonWriter() = default;
JsonWriter::JsonWriter(JsonWriter&&) noexcept = default;
JsonWriter& JsonWriter::operator=(JsonWriter&&) noexcept = default;

JsonWriter& JsonWriter::begin_object() {
  state_->writer.StartObject();
  return *this;
}
JsonWriter& JsonWriter::end_object() {
  state_->writer.EndObject();
  return *this;
}
JsonWriter& JsonWriter::begin_array() {
  state_->writer.StartArray();
  return *this;
}
JsonWriter& JsonWriter::end_array() {
  state_->writer.EndArray();
  return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
  state_->writer.Key(name.data(), length_of(name));
  return *this;
}
JsonWriter& JsonWriter::value(std::string_view text) {
  if (is_ascii(text)) {
    state_->writer.String(text.empty() ? "" : text.data(), length_of(text));
  } else {
    std::string valid = valid_utf8(text);
    state_->writer.String(valid.data(), length_of(valid));
  }
  return *this;
}
JsonWriter& JsonWriter::value(bool flag) {
  state_->writer.Bool(flag);
  return *this;
}
JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  state_->writer.Double(number);
  return *this;
}
JsonWriter& JsonWriter::value(std::int64_t number) {
  state_->writer.Int64(number);
  return *this;
}
JsonWriter& JsonWriter::value(std::uint64_t number) {
  state_->writer.Uint64(number);
  return *this;
}
JsonWriter& JsonWriter::null() {
  state_->writer.Null();
  return *this;
}

std::string JsonWriter::take() {
  std::string text(state_->buffer.GetString(), state_->buffer.GetSize());
  state_->buffer.Clear();
  state_->writer.Reset(state_->buffer);
  return text;
}

struct JsonValue::State {
  rapidjson::Document document;
};

namespace {
const rapidjson::Value& node_of(const void* node) {
  return *static_cast<const rapidjson::Value*>(node);
}
}  // namespace

JsonValue::JsonValue(std::shared_ptr<State> state, const void* node)
    : state_(std::move(state)), node_(node) {}
JsonValue::~JsonValue() = default;
JsonValue::JsonValue(const JsonValue&) = default;
JsonValue& JsonValue::operator=(const JsonValue&) = default;

Result<JsonValue> JsonValue::parse(std::string_view text) {
  auto state = std::make_shared<State>();
  // Iterative: a text of a million brackets cannot overflow the stack.
  state->document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  if (state->document.HasParseError()) {
    return input_error(format("not JSON: {} at byte {}",
                              rapidjson::GetParseError_En(state->document.GetParseError()),
                              state->document.GetErrorOffset()));
  }
  const void* root = static_cast<const rapidjson::Value*>(&state->document);
  return JsonValue(std::move(state), root);
}

std::optional<JsonValue> JsonValue::member(std::string_view name) const {
  const rapidjson::Value& node = node_of(node_);
  if (!node.IsObject()) return std::nullopt;
  auto found =
      node.FindMember(rapidjson::Value(rapidjson::StringRef(name.data(), length_of(name))));
  if (found == node.MemberEnd()) return std::nullopt;
  return JsonValue(state_, &found->value);
}

std::size_t JsonValue::size() const {
  return node_of(node_).IsArray() ? node_of(node_).Size() : 0;
}

JsonValue JsonValue::at(std::size_t index) const {
  IOVM_ASSERT(index < size());
  return JsonValue(state_, &node_of(node_)[static_cast<rapidjson::SizeType>(index)]);
}

std::optional<std::string> JsonValue::text() const {
  const rapidjson::Value& node = node_of(node_);
  if (!node.IsString()) return std::nullopt;
  return std::string(node.GetString(), node.GetStringLength());
}

std::optional<double> JsonValue::number() const {
  const rapidjson::Value& node = node_of(node_);
  if (!node.IsNumber()) return std::nullopt;
  return node.GetDouble();
}

std::optional<std::uint64_t> JsonValue::whole() const {
  const rapidjson::Value& node = node_of(node_);
  if (!node.IsUint64()) return std::nullopt;
  return node.GetUint64();
}

std::optional<bool> JsonValue::flag() const {
  const rapidjson::Value& node = node_of(node_);
  if (!node.IsBool()) return std::nullopt;
  return node.GetBool();
}

}  // namespace iovm
