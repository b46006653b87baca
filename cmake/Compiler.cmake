# Compiler, flags, linker. Only what concerns the whole build; what belongs to the library stands in Library.cmake.

option(MEARI_WERROR "Warnings are errors (./check turns this on)" OFF)
option(MEARI_COVERAGE "Count which lines run (clang)" OFF)
option(MEARI_FUZZ "Build the fuzzers of tests/fuzz (clang)" OFF)
option(MEARI_TRUST_COMPILER "Do not warn about compilers that miscompile coroutines" OFF)
option(MEARI_UNITY "Compile several files at a time: half the work, for builds that are made once" OFF)
set(MEARI_SANITIZE "" CACHE STRING "Sanitizers for everything that is built here: address,undefined or thread")

include("${CMAKE_CURRENT_LIST_DIR}/TrustedCompiler.cmake")

# The flags that every source of this project is compiled with; users of the library do not inherit them.
add_library(meari_flags INTERFACE)
target_compile_features(meari_flags INTERFACE cxx_std_23)
target_compile_options(meari_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi -Wimplicit-fallthrough
  -Wno-missing-field-initializers                        # {.backlog = 512} leaves the rest to its defaults
  $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-designated-field-initializers -Wunreachable-code-aggressive -Wloop-analysis>
  # Without this g++ does not turn symmetric transfer into a jump at -O0, and a long run of it eats the stack.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Debug>>:-foptimize-sibling-calls>
  # g++ 12 at -O2 sees overruns in its own inlined <string> and <vector> that are not there.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-mismatched-new-delete>
  $<$<BOOL:${MEARI_UNITY}>:-Wno-shadow>                  # by what another file of the same compilation calls its own
  $<$<BOOL:${MEARI_WERROR}>:-Werror>)
target_compile_definitions(meari_flags INTERFACE
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>
  $<$<PLATFORM_ID:Windows>:_WIN32_WINNT=0x0A00;WIN32_LEAN_AND_MEAN;NOMINMAX>)

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

# -g1: a stack trace of a release build has function names and lines. NDEBUG silences assert() of foreign headers;
# the library's own MEARI_ASSERT does not look at it and stays on.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

if(MEARI_SANITIZE)
  # -O1: at -O0 a sanitized build is several times slower, and clang needs it for symmetric transfer under TSan.
  # -g1: what a report shows is functions and lines, and a fifth of the time to compile is the rest.
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
  add_compile_options("-fsanitize=${MEARI_SANITIZE}" -fno-omit-frame-pointer)
  add_link_options("-fsanitize=${MEARI_SANITIZE}")
  if(MEARI_SANITIZE MATCHES "undefined")
    # Without vptr: that check opens a pipe to look at memory, and takes a shortage of descriptors, which tests make on
    # purpose, for an object of a wrong type.
    add_compile_options(-fno-sanitize-recover=undefined -fno-sanitize=vptr)
  endif()
endif()

if(MEARI_COVERAGE)
  # Source-based coverage: with --coverage at -O0 clang does not turn symmetric transfer into a jump.
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g")
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()

if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(MEARI_CCACHE NAMES ccache)
  mark_as_advanced(MEARI_CCACHE)
  if(MEARI_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${MEARI_CCACHE}")
  endif()
endif()

if(NOT WIN32)
  include(CheckLinkerFlag)
  foreach(linker IN ITEMS mold lld)
    check_linker_flag(CXX "-fuse-ld=${linker}" MEARI_LINKS_WITH_${linker})
    if(MEARI_LINKS_WITH_${linker})
      add_link_options("-fuse-ld=${linker}")
      break()
    endif()
  endforeach()
endif()
