# The library: meari, known to its users as meari::meari.
# Tests and the command see it through meari_inside, which also opens the internal headers ("src/room/file.hpp").

set(rooms src/os src/backend src/loop src/net src/server src/sim)
find_package(Threads REQUIRED)

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(MEARI_URING QUIET IMPORTED_TARGET liburing)
  if(NOT MEARI_URING_FOUND)
    message(FATAL_ERROR "meari needs liburing (Debian: apt install liburing-dev)")
  endif()
endif()

set(MEARI_HAS_TLS 0)
meari_sources(tls_sources src/tls)
if(MEARI_TLS AND tls_sources)
  find_package(OpenSSL 3 QUIET)
  if(OPENSSL_FOUND)
    set(MEARI_HAS_TLS 1)
    list(APPEND rooms src/tls)
  else()
    message(STATUS "meari: no OpenSSL 3, so no TLS (Debian: apt install libssl-dev)")
  endif()
endif()

meari_sources(sources ${rooms})
# The kernel's <linux/tcp.h> and the C library's <netinet/tcp.h> cannot be seen by one compilation.
set_source_files_properties(src/os/inspect_posix.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

function(meari_add_library name kind shared)
  add_library(${name} ${kind} ${sources})
  target_include_directories(${name}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_features(${name} PUBLIC cxx_std_23)
  target_compile_definitions(${name} PUBLIC MEARI_HAS_TLS=${MEARI_HAS_TLS} PRIVATE MEARI_BUILDING)
  if(shared)
    target_compile_definitions(${name} PUBLIC MEARI_SHARED)
  endif()
  target_link_libraries(${name} PUBLIC Threads::Threads PRIVATE $<BUILD_INTERFACE:meari_flags>)
  if(MEARI_URING_FOUND)
    target_link_libraries(${name} PRIVATE PkgConfig::MEARI_URING)
  endif()
  if(MEARI_HAS_TLS)
    target_link_libraries(${name} PRIVATE OpenSSL::SSL OpenSSL::Crypto)
  endif()
  if(WIN32)
    target_link_libraries(${name} PRIVATE ws2_32 mswsock synchronization)
  else()
    target_compile_options(${name} PRIVATE -fno-plt)     # recv() and send() are called, not looked for
  endif()
  set_target_properties(${name} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  meari_unite(${name})
endfunction()

if(BUILD_SHARED_LIBS)
  set(kind SHARED)
else()
  set(kind STATIC)
endif()
meari_add_library(meari "${kind}" "${BUILD_SHARED_LIBS}")
add_library(meari::meari ALIAS meari)
# Until 1.0 every minor version may change the binary interface.
set_target_properties(meari PROPERTIES
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

if(BUILD_SHARED_LIBS)
  # A shared library hides what is internal, so those who look inside get a static one of their own.
  meari_add_library(meari_inside_static STATIC "")
  set_target_properties(meari_inside_static PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
add_library(meari_inside INTERFACE)
target_link_libraries(meari_inside INTERFACE meari_flags $<IF:$<BOOL:${BUILD_SHARED_LIBS}>,meari_inside_static,meari>)
target_include_directories(meari_inside INTERFACE ${PROJECT_SOURCE_DIR})

# The same once more with hooks in every system call, for tests that make them fail (src/os/system.hpp). Never installed.
if(MEARI_TORTURE)
  meari_add_library(meari_tortured STATIC "")
  target_compile_definitions(meari_tortured PUBLIC MEARI_TORTURE)
  # A call is known by its return address and its caller's: both have frames, and neither is replaced by a jump.
  target_compile_options(meari_tortured PUBLIC -fno-omit-frame-pointer -fno-optimize-sibling-calls)
  if(MEARI_COVERAGE)                                     # the torture asks a sanitizer what is left behind
    target_compile_options(meari_tortured PUBLIC -fsanitize=address)
    target_link_options(meari_tortured PUBLIC -fsanitize=address)
  endif()
  set_target_properties(meari_tortured PROPERTIES EXCLUDE_FROM_ALL ON)
endif()
