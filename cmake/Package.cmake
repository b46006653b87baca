# cmake --install: the public headers, the library, the command, the CMake package and meari.pc.
include(CMakePackageConfigHelpers)

install(TARGETS meari EXPORT meariTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY include/meari DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
if(TARGET meari_command)
  install(TARGETS meari_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(NOT WIN32)
    # Made from the table of flags by tools/generate.sh.
    file(GLOB pages docs/man/*.1)
    file(GLOB pages_ko docs/man/ko/*.1)
    install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${pages_ko} DESTINATION ${CMAKE_INSTALL_MANDIR}/ko/man1)
    install(FILES docs/completions/meari.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME meari)
    install(FILES docs/completions/_meari DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES docs/completions/meari.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
  endif()
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/meari)
install(EXPORT meariTargets NAMESPACE meari:: DESTINATION ${package_dir})
configure_package_config_file(cmake/meariConfig.cmake.in "${PROJECT_BINARY_DIR}/package/meariConfig.cmake"
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/meariConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/package/meariConfig.cmake"
  "${PROJECT_BINARY_DIR}/package/meariConfigVersion.cmake"
  cmake/TrustedCompiler.cmake
  DESTINATION ${package_dir})

# cmake --build --preset windows --target package: a zip with meari.exe, which needs nothing but Windows, and what to read.
if(WIN32 AND TARGET meari_command AND PROJECT_IS_TOP_LEVEL)
  install(TARGETS meari_command RUNTIME DESTINATION . COMPONENT zip EXCLUDE_FROM_ALL)
  install(FILES README.md README.ko.md CHANGELOG.md LICENSE DESTINATION . COMPONENT zip EXCLUDE_FROM_ALL)
  set(CPACK_GENERATOR ZIP)
  set(CPACK_PACKAGE_FILE_NAME "meari-${PROJECT_VERSION}-windows-x86_64")
  set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
  set(CPACK_COMPONENTS_ALL zip)
  set(CPACK_STRIP_FILES ON)
  include(CPack)
endif()

# The prefix is worked out from where the .pc file lies, so that the tree may be moved.
file(RELATIVE_PATH pc_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
set(pc_requires_private "")
if(MEARI_URING_FOUND)
  list(APPEND pc_requires_private liburing)
endif()
if(MEARI_HAS_TLS)
  list(APPEND pc_requires_private libssl libcrypto)
endif()
list(JOIN pc_requires_private " " pc_requires_private)
set(pc_cflags "-DMEARI_HAS_TLS=${MEARI_HAS_TLS} -pthread")
set(pc_libs_private "-pthread")
if(BUILD_SHARED_LIBS)
  string(PREPEND pc_cflags "-DMEARI_SHARED ")
endif()
if(WIN32)
  string(APPEND pc_libs_private " -lws2_32 -lmswsock -lsynchronization")
endif()
configure_file(cmake/meari.pc.in "${PROJECT_BINARY_DIR}/package/meari.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/package/meari.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
