// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// The end of a process, or of a file system, that leaves WALs open: what was
// flushed goes into the files, which are cut to their exact size, and the side
// files go. Who opens the database next, by whatever file system, finds all
// that was acknowledged.
//
// At exit other threads go on, and the one that has called exit may hold any
// lock of RocksDB's; after a signal even one of ours. So the work is done by
// threads of its own, one for each WAL, which take no lock of RocksDB's, and
// exit waits for them for a while only. What they could not do in that time is
// as safe as after kill -9: it stays in the side file. See
// docs/process-end.md.

#ifndef URINGFS_PLUGIN_EXIT_DRAIN_H_
#define URINGFS_PLUGIN_EXIT_DRAIN_H_

#include <chrono>
#include <memory>

namespace uringfs {

class FsStats;
class LiveFiles;

// Exit and quick_exit of this process, or of a child of fork that opens files
// of its own, drain what is open then. Costs a load but for the first time.
void DrainAtExit();

// Drains the WALs in `files`, those of one file system or, with null, all. Each
// is tried once in its life, and `limit` is waited for them. False if that was
// not enough.
bool DrainWals(LiveFiles* files, const std::shared_ptr<const FsStats>& of,
               std::chrono::milliseconds limit);
// The same for a file system that is being destroyed.
void DrainWalsOf(const std::shared_ptr<const FsStats>& of);

// Whether exit could not wait any longer: some lock may never be free again.
bool ExitDrainGaveUp();

}  // namespace uringfs

#endif  // URINGFS_PLUGIN_EXIT_DRAIN_H_
