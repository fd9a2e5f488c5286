// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0

#include "db_bench_ext/judge/page.h"

#include "db_bench_ext/judge/page_parts.h"

namespace uringfs::bench {
namespace {

std::string Replace(const std::string& text, const std::string& marker,
                    const std::string& with) {
  const size_t at = text.find(marker);
  return at == std::string::npos
             ? text
             : text.substr(0, at) + with + text.substr(at + marker.size());
}

// Inside a script nothing may look like the end of it.
std::string ForScript(const std::string& json) {
  std::string safe;
  for (const char character : json) {
    if (character == '<') {
      safe += "\\u003c";
    } else {
      safe += character;
    }
  }
  return safe;
}

}  // namespace

std::string PageOf(const std::string& json) {
  std::string page = Replace(kPageHtml, "/*STYLE*/", kPageStyle);
  // The report comes last: what is in it is not to be replaced.
  page = Replace(page, "/*SCRIPT*/", kPageScript);
  return Replace(page, "/*REPORT*/null", ForScript(json));
}

}  // namespace uringfs::bench
