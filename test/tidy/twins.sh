#!/usr/bin/env bash
# twins.sh ROOT: the plugin sees nothing of src, so it has copies of a few
# headers. They are the same but for their guards and includes; both are linked
# into one object, so anything else would be undefined behaviour.
set -euo pipefail
cd -- "$1"

bad=0
text() { sed -E '/^#(ifndef|define|endif).*_H_$/d; /^#include "/d' "$1"; }
for name in mutex thread_annotations; do
  if ! diff <(text src/base/$name.h) <(text plugin/$name.h); then
    echo "plugin/$name.h and src/base/$name.h are not the same"
    bad=1
  fi
done
exit $bad
