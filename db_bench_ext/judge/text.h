// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Small things about text that several files here need.

#ifndef URINGFS_DB_BENCH_EXT_JUDGE_TEXT_H_
#define URINGFS_DB_BENCH_EXT_JUDGE_TEXT_H_

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>

namespace uringfs::bench {

// As printf; at most 511 characters.
template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[512];
  std::snprintf(text, sizeof(text), format, values...);
  return text;
}

// "open DIR: No such file or directory"
inline std::string ErrnoText(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

inline std::string Trim(const std::string& text) {
  constexpr const char* kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string::npos
             ? ""
             : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Empty if it cannot be read.
inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace uringfs::bench

#endif  // URINGFS_DB_BENCH_EXT_JUDGE_TEXT_H_
