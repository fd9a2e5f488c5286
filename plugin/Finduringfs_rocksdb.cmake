# The RocksDB to build against, as the target uringfs_rocksdb: headers, library,
# and -fno-rtti where it was built without run-time type information.
#
#   RocksDB_ROOT=DIR            a prefix it was installed to, or its source tree
#                               with the library in it or in build/
#   uringfs_rocksdb_include=DIR, uringfs_rocksdb_library=FILE
#                               each by itself
#   neither                     the targets RocksDB::rocksdb-shared or
#                               RocksDB::rocksdb of this project, else the
#                               system's RocksDB
#
# RocksDB's own package (RocksDBConfig.cmake) is not asked: Debian's wants the
# development packages of everything RocksDB was built with.

if(NOT TARGET uringfs_rocksdb AND NOT uringfs_rocksdb_library)
  foreach(target RocksDB::rocksdb-shared RocksDB::rocksdb)
    if(TARGET ${target} AND NOT TARGET uringfs_rocksdb)
      add_library(uringfs_rocksdb INTERFACE IMPORTED GLOBAL)
      target_link_libraries(uringfs_rocksdb INTERFACE ${target})
      get_target_property(uringfs_rocksdb_include ${target}
        INTERFACE_INCLUDE_DIRECTORIES)
      set(uringfs_rocksdb_library ${target})
    endif()
  endforeach()
endif()

set(roots ${RocksDB_ROOT} $ENV{RocksDB_ROOT})
find_path(uringfs_rocksdb_include rocksdb/file_system.h
  HINTS ${roots} PATH_SUFFIXES include)
find_library(uringfs_rocksdb_library rocksdb
  HINTS ${roots} PATH_SUFFIXES lib lib64 build)
mark_as_advanced(uringfs_rocksdb_include uringfs_rocksdb_library)

if(EXISTS "${uringfs_rocksdb_include}/rocksdb/version.h")
  file(STRINGS ${uringfs_rocksdb_include}/rocksdb/version.h lines
    REGEX "#define ROCKSDB_(MAJOR|MINOR|PATCH) +[0-9]+")
  string(REGEX REPLACE
    ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*PATCH +([0-9]+).*" "\\1.\\2.\\3"
    uringfs_rocksdb_VERSION "${lines}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(uringfs_rocksdb
  REQUIRED_VARS uringfs_rocksdb_library uringfs_rocksdb_include
  VERSION_VAR uringfs_rocksdb_VERSION
  REASON_FAILURE_MESSAGE
    "RocksDB's headers or library are missing, -DRocksDB_ROOT=DIR says where")

if(uringfs_rocksdb_FOUND AND NOT TARGET uringfs_rocksdb)
  get_filename_component(real "${uringfs_rocksdb_library}" REALPATH)
  # Headers of one release and the library of another would build, and crash.
  if(real MATCHES "\\.so\\.([0-9]+\\.[0-9]+\\.[0-9]+)$" AND
      NOT CMAKE_MATCH_1 STREQUAL uringfs_rocksdb_VERSION)
    message(FATAL_ERROR "the headers in ${uringfs_rocksdb_include} are of "
      "RocksDB ${uringfs_rocksdb_VERSION}, and the library is ${real}; set "
      "RocksDB_ROOT, or both uringfs_rocksdb_include and "
      "uringfs_rocksdb_library")
  endif()
  # RocksDB's release builds have none, packages of distributions often do.
  file(STRINGS "${real}" rtti LIMIT_COUNT 1
    REGEX "_ZTIN[0-9]*[a-z_]*17FileSystemWrapperE")
  add_library(uringfs_rocksdb UNKNOWN IMPORTED GLOBAL)
  set_target_properties(uringfs_rocksdb PROPERTIES
    IMPORTED_LOCATION "${uringfs_rocksdb_library}"
    INTERFACE_INCLUDE_DIRECTORIES "${uringfs_rocksdb_include}")
  if(NOT rtti)
    set_target_properties(uringfs_rocksdb PROPERTIES
      INTERFACE_COMPILE_OPTIONS "$<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>")
  endif()
  if(NOT uringfs_rocksdb_FIND_QUIETLY)
    if(rtti)
      set(with "with")
    else()
      set(with "without")
    endif()
    message(STATUS "RocksDB ${uringfs_rocksdb_VERSION}, ${with} RTTI: ${real}, "
      "headers in ${uringfs_rocksdb_include}")
  endif()
endif()
