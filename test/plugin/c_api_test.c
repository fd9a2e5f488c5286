/* Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
 *
 * c_api_test: what a C program does that has RocksDB's C API and uringfs.
 */

#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/uringfs_c.h"

static void Expect(int is_so, const char* what) {
  if (!is_so) {
    fprintf(stderr, "FAILED: %s\n", what);
    exit(1);
  }
}

static void ExpectNoError(char* err) {
  if (err != NULL) {
    fprintf(stderr, "FAILED: %s\n", err);
    exit(1);
  }
}

static void NoteWal(void* argument, const char* path, uint64_t size,
                    uint64_t flushed, uint64_t stable) {
  int* const wals = argument;
  ++*wals;
  Expect(strstr(path, ".log") != NULL, "the path of a WAL");
  Expect(size >= 10 && flushed == size && stable == size,
         "a synced put is stable");
}

static void PutAndGet(rocksdb_env_t* env, const char* path) {
  char* err = NULL;
  rocksdb_options_t* const options = rocksdb_options_create();
  rocksdb_options_set_create_if_missing(options, 1);
  rocksdb_options_set_env(options, env);
  rocksdb_t* const db = rocksdb_open(options, path, &err);
  ExpectNoError(err);
  rocksdb_writeoptions_t* const synced = rocksdb_writeoptions_create();
  rocksdb_writeoptions_set_sync(synced, 1);
  rocksdb_put(db, synced, "key", 3, "value", 5, &err);
  ExpectNoError(err);
  int wals = 0;
  rocksdb_uringfs_wals(env, NoteWal, &wals);
  Expect(wals == 1, "one WAL is open");
  rocksdb_readoptions_t* const reads = rocksdb_readoptions_create();
  size_t bytes = 0;
  char* const value = rocksdb_get(db, reads, "key", 3, &bytes, &err);
  ExpectNoError(err);
  Expect(bytes == 5 && memcmp(value, "value", 5) == 0, "the value is there");
  rocksdb_free(value);
  rocksdb_readoptions_destroy(reads);
  rocksdb_writeoptions_destroy(synced);
  rocksdb_close(db);
  rocksdb_destroy_db(options, path, &err);
  ExpectNoError(err);
  rocksdb_options_destroy(options);
}

int main(void) {
  const char* const folder = getenv("URINGFS_TEST_DIR");
  char path[4096];
  snprintf(path, sizeof(path), "%s/uringfs_test.c_api.%d",
           folder != NULL ? folder : ".", (int)getpid());
  char* err = NULL;
  rocksdb_env_t* const env =
      rocksdb_create_uringfs_env("uringfs://?wal_durable_within=10ms", &err);
  ExpectNoError(err);
  PutAndGet(env, path);
  char* text = rocksdb_uringfs_statistics(env);
  Expect(text != NULL && strstr(text, " wal_appends=1 ") != NULL,
         "the statistics count it");
  rocksdb_free(text);
  rocksdb_env_destroy(env);

  rocksdb_env_t* const posix = rocksdb_create_default_env();
  Expect(rocksdb_uringfs_statistics(posix) == NULL, "posix is not uringfs");
  rocksdb_env_destroy(posix);
  Expect(rocksdb_create_uringfs_env("uringfs://?no=1", &err) == NULL &&
             err != NULL && strstr(err, "there is no option 'no'") != NULL,
         "a bad option is named");
  rocksdb_free(err);
  Expect(strcmp(rocksdb_uringfs_version(), "0.1.0") == 0, "the version");
  rmdir(path);
  puts("PASSED");
  return 0;
}
