# Sourced by the scripts of this repository. Says which Debian packages they
# need, installs those that are missing, and sets up ccache.
# shellcheck shell=bash

uringfs_build_packages=(g++ cmake ninja-build pkg-config liburing-dev
  librocksdb-dev rocksdb-tools libgtest-dev libgmock-dev libgflags-dev
  libbenchmark-dev nlohmann-json3-dev ccache strace e2fsprogs mount util-linux
  libfuse3-dev xfsprogs python3 dpkg-dev file
  help2man)
# Programs of others that test/clients runs.
uringfs_client_packages=(sortmerna balboa balboa-backend-rocksdb
  mariadb-server mariadb-client mariadb-plugin-rocksdb curl)
uringfs_check_packages=(clang clang-tidy clang-format libclang-rt-14-dev
  chromium)

# uringfs_need_packages PACKAGE...: returns when all are installed, else exits.
uringfs_need_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "note: not a Debian system; install what these Debian packages" \
      "hold: $*" >&2
    return 0
  fi
  local package state missing=()
  for package in "$@"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) || state=
    [ "$state" = "install ok installed" ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "error: packages are missing and neither root nor sudo is at hand;" \
        "as root run: apt-get install ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "== installing packages: ${missing[*]}"
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=300)
  local install=("${apt[@]}" install -y --no-install-recommends)
  if ! { "${apt[@]}" update && "${install[@]}" "${missing[@]}"; } \
    </dev/null; then
    echo "error: apt-get could not install: ${missing[*]}" >&2
    exit 1
  fi
}

# Compiles through ccache where it is found.
uringfs_use_ccache() {
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  fi
}

# How many jobs: one per CPU, but no more than memory for a GiB each.
uringfs_jobs() {
  local cpus memory
  cpus=$(nproc)
  memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
  [ "${memory:-1}" -ge 1 ] || memory=1
  echo $((cpus < memory ? cpus : memory))
}
