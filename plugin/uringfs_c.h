/* Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
 *
 * uringfs for programs that use RocksDB's C API (rocksdb/c.h), and so for other
 * languages: Rust, Go, Java.
 *
 *   char* err = NULL;
 *   rocksdb_env_t* env = rocksdb_create_uringfs_env("uringfs://", &err);
 *   if (err != NULL) { ...; rocksdb_free(err); }
 *   rocksdb_options_set_env(options, env);
 *
 * THREADS: any. Text that is returned is freed by rocksdb_free.
 */

#ifndef URINGFS_PLUGIN_URINGFS_C_H_
#define URINGFS_PLUGIN_URINGFS_C_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rocksdb_env_t;

/* An Env over uringfs with the options of `uri` ("uringfs://",
 * "uringfs://?wal_durable_within=10ms"), and of the environment variable
 * URINGFS_OPTIONS. rocksdb_env_destroy frees the handle; what it stands for
 * lives as long as the process, and is the same for the same options. On an
 * error, NULL, and *errptr says what and what is allowed: an option that cannot
 * be used, or a RocksDB of another release than this was built for. */
struct rocksdb_env_t* rocksdb_create_uringfs_env(const char* uri,
                                                 char** errptr);

/* Text of `key=value` tokens: what it has done so far. NULL if `env` is not
 * one of uringfs. */
char* rocksdb_uringfs_statistics(const struct rocksdb_env_t* env);

/* Calls `wal` for each WAL that is open for writing: bytes from its begin that
 * were appended, that survive the process, and that survive power loss. */
typedef void (*rocksdb_uringfs_wal)(void* argument, const char* path,
                                    uint64_t size, uint64_t flushed,
                                    uint64_t stable);
void rocksdb_uringfs_wals(const struct rocksdb_env_t* env,
                          rocksdb_uringfs_wal wal, void* argument);

/* "0.1.0". Not to be freed. */
const char* rocksdb_uringfs_version(void);

#ifdef __cplusplus
}
#endif

#endif /* URINGFS_PLUGIN_URINGFS_C_H_ */
