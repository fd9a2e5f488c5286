// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// As much JSON as the tool writes: an array of flat objects.

#ifndef URINGFS_TOOL_JSON_H_
#define URINGFS_TOOL_JSON_H_

#include <cstdint>
#include <string>

namespace uringfs::tool {

// `text` in quotes. Bytes that are not UTF-8, which file names may hold, become
// the replacement character.
std::string JsonString(const std::string& text);

class JsonObject {
 public:
  JsonObject& Add(const char* name, const std::string& value);
  // Not bool: a pointer would become one.
  JsonObject& AddNumber(const char* name, uint64_t value);
  JsonObject& AddBool(const char* name, bool value);
  std::string ToString() const { return "{" + fields_ + "}"; }

 private:
  JsonObject& AddRaw(const char* name, const std::string& value);
  std::string fields_;
};

class JsonArray {
 public:
  void Add(const JsonObject& object);
  // One object a line.
  std::string ToString() const;

 private:
  std::string items_;
};

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_JSON_H_
