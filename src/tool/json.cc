// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "src/tool/json.h"

#include <cstdio>

namespace uringfs::tool {
namespace {

unsigned char ByteAt(const std::string& text, size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

// Length of the UTF-8 sequence that begins at `at`; 0 if none does. Overlong
// forms, surrogates and what lies behind U+10FFFF are none.
size_t SequenceLength(const std::string& text, size_t at) {
  const unsigned char lead = ByteAt(text, at);
  if (lead < 0x80) {
    return 1;
  }
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if ((ByteAt(text, at + i) & 0xc0) != 0x80) {
      return 0;
    }
  }
  const unsigned char second = ByteAt(text, at + 1);
  const bool is_bad =
      (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90);
  return is_bad ? 0 : length;
}

std::string EscapeControl(unsigned char byte) {
  char text[8];
  std::snprintf(text, sizeof(text), "\\u%04x", byte);
  return text;
}

}  // namespace

std::string JsonString(const std::string& text) {
  std::string quoted = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t length = SequenceLength(text, at);
    const unsigned char byte = ByteAt(text, at);
    if (length == 0) {
      quoted += "\\ufffd";
    } else if (byte == '"' || byte == '\\') {
      quoted += std::string("\\") + text[at];
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += EscapeControl(byte);
    } else {
      quoted.append(text, at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return quoted + "\"";
}

JsonObject& JsonObject::AddRaw(const char* name, const std::string& value) {
  fields_ += (fields_.empty() ? "" : ", ") + JsonString(name) + ": " + value;
  return *this;
}

JsonObject& JsonObject::Add(const char* name, const std::string& value) {
  return AddRaw(name, JsonString(value));
}

JsonObject& JsonObject::AddNumber(const char* name, uint64_t value) {
  return AddRaw(name, std::to_string(value));
}

JsonObject& JsonObject::AddBool(const char* name, bool value) {
  return AddRaw(name, value ? "true" : "false");
}

void JsonArray::Add(const JsonObject& object) {
  items_ += (items_.empty() ? "\n  " : ",\n  ") + object.ToString();
}

std::string JsonArray::ToString() const {
  return "[" + items_ + (items_.empty() ? "]\n" : "\n]\n");
}

}  // namespace uringfs::tool
