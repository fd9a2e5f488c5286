// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// What a person is told of a side file.

#ifndef URINGFS_TOOL_DESCRIBE_H_
#define URINGFS_TOOL_DESCRIBE_H_

#include <string>

#include "src/tool/json.h"

#include "uringfs/recovery.h"

namespace uringfs::tool {

// What `recover` does with it if that is chosen for unusable ones; kLeave: what
// it does by itself, and what each choice would do.
std::string Plan(const SideFileInfo& info, Unusable unusable);

JsonObject ToJson(const SideFileInfo& info, Unusable unusable);
std::string ToText(const SideFileInfo& info);

}  // namespace uringfs::tool

#endif  // URINGFS_TOOL_DESCRIBE_H_
