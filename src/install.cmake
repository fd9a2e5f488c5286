# What `cmake --install` puts where. Run at the end of the top directory, when
# the plugin's targets, if any, are there.
#
#   uringfs::core     headers and archive; needs threads and liburing
#   uringfs::rocksdb  find_package(uringfs COMPONENTS rocksdb); needs RocksDB
#   liburingfs.so     for LD_PRELOAD, and in uringfs/librocksdb.so.X.Y the
#                     module it opens; those of several releases fit beside
#                     each other
#   uringfs           the command-line tool, and its manual
#
# Two components, of which cpack makes two Debian packages: `runtime`, uringfs,
# and `dev`, liburingfs-dev. Configured with CMAKE_INSTALL_PREFIX=/usr they go
# where Debian has such files.

set(uringfs_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/uringfs)
set(uringfs_source_dir ${CMAKE_CURRENT_LIST_DIR})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/uringfs
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev
  FILES_MATCHING PATTERN "*.h")
install(TARGETS uringfs_core EXPORT uringfsTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(EXPORT uringfsTargets NAMESPACE uringfs::
  DESTINATION ${uringfs_config_dir} COMPONENT dev)

# In a set of its own: a consumer of the core needs no RocksDB.
if(TARGET uringfs)
  set_target_properties(uringfs PROPERTIES EXPORT_NAME rocksdb)
  install(FILES ${PROJECT_SOURCE_DIR}/plugin/uringfs_file_system.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/uringfs/rocksdb COMPONENT dev)
  install(FILES ${PROJECT_SOURCE_DIR}/plugin/uringfs_c.h
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/uringfs RENAME c.h COMPONENT dev)
  install(FILES ${PROJECT_SOURCE_DIR}/plugin/Finduringfs_rocksdb.cmake
    DESTINATION ${uringfs_config_dir} COMPONENT dev)
  install(TARGETS uringfs EXPORT uringfsRocksdbTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
  install(EXPORT uringfsRocksdbTargets NAMESPACE uringfs::
    DESTINATION ${uringfs_config_dir} COMPONENT dev)
endif()
if(TARGET uringfs_module)
  get_target_property(uringfs_rocksdb_release uringfs_module uringfs_release)
  install(TARGETS uringfs_preload
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
  install(TARGETS uringfs_module LIBRARY DESTINATION
    ${CMAKE_INSTALL_LIBDIR}/uringfs/librocksdb.so.${uringfs_rocksdb_release}
    COMPONENT runtime)
endif()
if(TARGET uringfs_tool)
  install(TARGETS uringfs_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    COMPONENT runtime)
endif()
foreach(part uringfs:runtime liburingfs-dev:dev)
  string(REPLACE ":" ";" part ${part})
  list(GET part 0 package)
  list(GET part 1 component)
  install(FILES ${uringfs_source_dir}/copyright COMPONENT ${component}
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${package})
endforeach()
if(TARGET uringfs_manual)
  install(FILES $<TARGET_PROPERTY:uringfs_manual,uringfs_page>
    DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
endif()

configure_package_config_file(${uringfs_source_dir}/uringfsConfig.cmake.in
  ${PROJECT_BINARY_DIR}/uringfsConfig.cmake
  INSTALL_DESTINATION ${uringfs_config_dir}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/uringfsConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/uringfsConfig.cmake
  ${PROJECT_BINARY_DIR}/uringfsConfigVersion.cmake
  DESTINATION ${uringfs_config_dir} COMPONENT dev)

# pkg-config: relative to where the file is found, so that a staged or moved
# prefix works.
file(RELATIVE_PATH uringfs_pc_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${uringfs_source_dir}/uringfs.pc.in
  ${PROJECT_BINARY_DIR}/uringfs.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/uringfs.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

include(${uringfs_source_dir}/package.cmake)
