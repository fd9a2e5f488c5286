// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// linked DIRECTORY: a program that is linked to RocksDB, see
// private_rocksdb.cc.

extern "C" int Use(const char* path);

int main(int, char** argv) { return Use(argv[1]); }
