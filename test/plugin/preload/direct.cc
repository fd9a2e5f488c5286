// Copyright the uringfs authors. SPDX-License-Identifier: Apache-2.0
//
// A program that is linked to stranger.cc.

extern "C" int Use(const char* path);

int main() { return Use(""); }
