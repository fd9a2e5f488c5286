uringfs_SOURCES = background_thread.cc base_file.cc base_logger.cc buffer_budget.cc c_api.cc compaction_reader.cc configure.cc data_reader.cc database_logs.cc exit_drain.cc file_names.cc file_policy.cc file_size_signal.cc file_system.cc fs_options.cc fs_options_text.cc fs_stats.cc io_status.cc live_file.cc live_readers.cc new_file.cc page_cache.cc probe_cache.cc register.cc side_files.cc view_readers.cc wal_dirs.cc writable_file.cc
uringfs_HEADERS = uringfs_c.h uringfs_file_system.h
uringfs_FUNC = register_uringfs
uringfs_PKGCONFIG_REQUIRES = "uringfs" "liburing >= 2.2"
