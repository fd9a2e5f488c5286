#!/usr/bin/env bash
# crashtest.sh TREE TMP SECONDS [ARGUMENT...]: crashtest.py on a build of `run`.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
tree=$1
exec python3 "$here/crashtest.py" \
  --script="$tree/rocksdb/tools/db_crashtest.py" \
  --stress="$tree/build/db_stress_tool/db_stress" \
  --tool="$tree/uringfs/src/tool/uringfs" --tmp="$2" --seconds="$3" "${@:4}"
