// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// Which files go through uringfs, and in which order their bytes may land.

#ifndef URINGFS_PLUGIN_FILE_POLICY_H_
#define URINGFS_PLUGIN_FILE_POLICY_H_

#include <rocksdb/file_system.h>

#include <cstdint>
#include <string>

#include "rocksdb_api.h"

namespace uringfs {

enum class FileKind : uint8_t {
  kBase,  // left to the file system underneath
  kWal,   // serialised: a crash leaves a prefix
  kData,  // tail-localised: read only after it was synced
};

// By the tag in io_options.type, which OptimizeFor...Write of our file system
// sets; else by the name, since an Env that wraps ours drops the tag. Files of
// unknown name, MANIFESTs and files to be written through mmap are kBase. A
// WAL that is only being copied (checkpoint, backup) has no tag and is
// recognised by name: the strict order it does not need costs it little. Blob
// files without a tag are kBase: users' puts write them (blob direct write of
// RocksDB 11, the stacked BlobDB) and flush each record. Side files of logs are
// kBase, whatever the tag: somebody copies a directory.
FileKind Classify(const std::string& path, const rdb::FileOptions& options);

// Marks options of a WAL whose database takes a torn record for the log's end,
// and asks for the mark.
void MarkEndMayBeTorn(rdb::FileOptions* options);
bool EndMayBeTorn(const rdb::FileOptions& options);

// Marks options of a table or blob file that RocksDB wants to be written
// directly, and asks for the mark.
void MarkDirect(rdb::FileOptions* options);
bool IsToBeDirect(const rdb::FileOptions& options);

// Whether nobody counts on a byte of the file, which is no WAL, before it was
// synced, so that RocksDB calls Flush only because its buffer is full. So it is
// with what flushes and compactions write, tables and blob files.
bool IsReadOnlyOnceSynced(const rdb::FileOptions& options);

// By the name alone: `NNNNNN.log`.
bool IsWalName(const std::string& path);
// Whether the WAL at `path` has a lower number than the one at `other`.
bool IsEarlierWal(const std::string& path, const std::string& other);

// `NNNNNN.log.uringfs`.
bool IsSideFileOfWal(const std::string& path);
// The path of the log of such a one.
std::string LogOfSideFile(const std::string& path);

// By the tag, else by the name, `MANIFEST-NNNNNN`: see Classify.
bool IsManifest(const std::string& path, const rdb::FileOptions& options);

// `CURRENT`, which RocksDB reads first when it opens a database.
bool IsCurrentName(const std::string& path);

// `NNNNNN.blob`.
bool IsBlobName(const std::string& path);

// As dirname(3): "." if there is no slash in `path`.
std::string DirectoryOf(const std::string& path);

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_FILE_POLICY_H_
