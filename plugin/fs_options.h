// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Options of the file system as text: one table, strict, with messages that
// name what was wrong and list what is allowed.

#ifndef URINGFS_PLUGIN_FS_OPTIONS_H_
#define URINGFS_PLUGIN_FS_OPTIONS_H_

#include <uringfs/options.h>
#include <uringfs/status.h>

#include <string>
#include <utility>
#include <vector>

#include "uringfs_file_system.h"

namespace uringfs {

inline constexpr char kUringFsName[] = "uringfs";
inline constexpr char kUringFsVersion[] = "0.1.0";
inline constexpr char kOptionsVariable[] = "URINGFS_OPTIONS";

// Sets one option. Errors: InvalidArgument; *options is unchanged then.
Status SetFsOption(const std::string& name, const std::string& value,
                   UringFsOptions* options);

// Sets every `name=value` of `text`; they are separated by `separator`, blanks
// around them and empty ones are ignored. Errors: InvalidArgument; *options is
// unchanged then.
Status ParseFsOptions(const std::string& text, char separator,
                      UringFsOptions* options);

// The same for "uringfs", "uringfs://" and "uringfs://?name=value&...".
Status ParseFsUri(const std::string& uri, UringFsOptions* options);

// Applies the environment variable URINGFS_OPTIONS, if it is set. Errors:
// InvalidArgument that names the variable.
Status ApplyOptionsVariable(UringFsOptions* options);

// A URI over the variable, and what they come to is valid.
Status ParseUriAndVariable(const std::string& uri, UringFsOptions* options);

// OK, or InvalidArgument for a value out of range or options that do not go
// together. The parsers above check single values only.
Status ValidateFsOptions(const UringFsOptions& options);

// Every option with its value, in the form ParseFsOptions(text, ';') reads.
std::string FormatFsOptions(const UringFsOptions& options);

// How logs of each kind are opened.
LogOptions WalLogOptions(const UringFsOptions& options);
// Of a WAL that has none: nobody tells readers where padding begins, so there
// is none.
LogOptions WithoutSideFile(LogOptions log);
LogOptions DataLogOptions(const UringFsOptions& options);

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_FS_OPTIONS_H_
