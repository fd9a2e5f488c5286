// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// opener DIRECTORY OBJECT...: a program without RocksDB that opens objects as
// servers open plugins, each for itself alone, and calls Use(DIRECTORY) of
// each.

#include <dlfcn.h>

#include <cstdio>

int main(int argc, char** argv) {
  int result = argc < 3 ? 2 : 0;
  for (int i = 2; i < argc; ++i) {
    void* const object = ::dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    const auto use =
        object != nullptr
            ? reinterpret_cast<int (*)(const char*)>(::dlsym(object, "Use"))
            : nullptr;
    if (use == nullptr) {
      std::fprintf(stderr, "opener: %s\n", ::dlerror());
      return 3;
    }
    result += use(argv[1]);
  }
  return result;
}
