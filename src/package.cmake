# What `cpack` makes: Debian packages of the two components of install.cmake.
# The runtime serves the release of RocksDB it was built with.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME uringfs)
set(CPACK_PACKAGE_CONTACT "The uringfs authors <authors@uringfs.invalid>")
set(CPACK_COMPONENTS_ALL runtime dev)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME uringfs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME liburingfs-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS liburing-dev)
if(TARGET uringfs_module)
  # It looks for the RocksDB of the program, and brings none.
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS
    librocksdb${uringfs_rocksdb_release})
  set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS rocksdb-tools)
  set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS librocksdb-dev)
  set(uringfs_serves " for RocksDB ${uringfs_rocksdb_release}")
endif()
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
"A file system${uringfs_serves}, to be preloaded into programs. Synced writes
wait for one device flush; unsynced ones make no system call, and survive the
end of the process. Comes with the tool uringfs, which recovers write-ahead
logs of killed processes.")
set(CPACK_COMPONENT_DEV_DESCRIPTION
"Headers and archives, to link the file system${uringfs_serves}, or its
append-only log alone, into programs: by CMake (find_package uringfs), or by
pkg-config.")
include(CPack)
