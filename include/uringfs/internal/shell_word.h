// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Names in commands that a person is told to type.

#ifndef URINGFS_INTERNAL_SHELL_WORD_H_
#define URINGFS_INTERNAL_SHELL_WORD_H_

#include <string>

namespace uringfs {

// As a shell reads it back.
inline std::string ShellWord(const std::string& text) {
  const bool is_plain =
      !text.empty() && text.find_first_not_of(
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "abcdefghijklmnopqrstuvwxyz"
                           "0123456789/._-+=:,@%") == std::string::npos;
  if (is_plain) {
    return text;
  }
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return word + "'";
}

}  // namespace uringfs

#endif  // URINGFS_INTERNAL_SHELL_WORD_H_
