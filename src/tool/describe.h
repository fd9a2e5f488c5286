// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a person is told of a side file.

#ifndef URINGFS_TOOL_DESCRIBE_H_
#define URINGFS_TOOL_DESCRIBE_H_

#include <string>

#include "src/tool/json.h"

#include "uringfs/recovery.h"

namespace uringfs::tool {

// What `recover` does with it: by itself, and where there is a choice, with
// each of the two.
std::string Plan(const SideFileInfo& info);

JsonObject ToJson(const SideFileInfo& info);
std::string ToText(const SideFileInfo& info);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_DESCRIBE_H_
