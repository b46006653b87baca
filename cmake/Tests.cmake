# tests/unit  tests/contract  tests/conformance  tests/sim  tests/regression  tests/measuring
#                                                              all *.cpp of a folder are one GoogleTest program, meari_<folder>
# tests/torture                                                one program, with hooks in every system call (MEARI_TORTURE)
# tests/command  tests/examples                                every test_*.py is one test (unittest; MEARI and EXAMPLES say where)
# tests/fuzz                                                   every *.cpp is one fuzzer, run for 20 seconds (MEARI_FUZZ)
# tests/support                                                what they share: headers, and *.cpp as a small library
# A test is named <folder>.<its name> and carries its folder as its label: ctest --preset release -L unit.
# Where starting a program takes longer than most of its tests (MEARI_TEST_SHARDS), so many parts of it are one test each instead.
# Tests run side by side: they ask the kernel for ports (port 0) and for temporary folders.

if(CMAKE_CROSSCOMPILING AND EXISTS /usr/src/googletest/CMakeLists.txt)
  # Debian has GoogleTest's sources, and built libraries for its own processor only.
  add_subdirectory(/usr/src/googletest "${PROJECT_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL)
  foreach(part IN ITEMS gtest gtest_main gmock)
    if(NOT TARGET GTest::${part})
      add_library(GTest::${part} ALIAS ${part})
    endif()
  endforeach()
  set(GTest_FOUND TRUE)
else()
  find_package(GTest QUIET)
endif()
if(NOT GTest_FOUND)
  message(STATUS "meari: no GoogleTest, so no C++ tests (Debian: apt install libgtest-dev libgmock-dev)")
endif()
include(GoogleTest)

add_library(meari_support INTERFACE)
target_link_libraries(meari_support INTERFACE meari_inside)
target_include_directories(meari_support INTERFACE "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/tests/support")
meari_sources(support_sources tests/support)
if(GTest_FOUND AND support_sources)
  add_library(meari_support_code STATIC ${support_sources})
  target_link_libraries(meari_support_code PUBLIC meari_inside GTest::gtest GTest::gmock)
  target_include_directories(meari_support_code PUBLIC "${PROJECT_SOURCE_DIR}/tests" "${PROJECT_SOURCE_DIR}/tests/support")
  target_link_libraries(meari_support INTERFACE meari_support_code)
endif()

set(test_seconds 120)                                    # a machine may be busy: nothing here is quick or slow
if(MEARI_SANITIZE)
  set(test_seconds 240)                                  # sanitized code is a few times slower
endif()

# What is tested is compiled as the preset says. Under AddressSanitizer the optimizer takes most of the time for the tests themselves,
# and with g++ half of it; the library, the command and the examples show there what it makes of coroutines.
set(MEARI_TEST_FLAGS "" CACHE STRING "How the tests themselves are compiled, where that is not how everything is")
separate_arguments(MEARI_TEST_FLAGS)
set(MEARI_TEST_SHARDS 0 CACHE STRING "Run each test program in so many parts (0: each of its tests by itself)")

function(meari_test_program folder)
  meari_sources(test_sources tests/${folder})
  if(NOT GTest_FOUND OR NOT test_sources)
    return()
  endif()
  add_executable(meari_${folder} ${test_sources})
  set_target_properties(meari_${folder} PROPERTIES CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  target_link_libraries(meari_${folder} PRIVATE meari_support GTest::gtest_main GTest::gmock)
  if(NOT folder MATCHES "^(sim|measuring)$")              # these compute, and take longer than it would save
    target_compile_options(meari_${folder} PRIVATE ${MEARI_TEST_FLAGS})
  endif()
  meari_unite(meari_${folder})
  if(MEARI_TEST_SHARDS GREATER 0)
    foreach(shard RANGE 1 ${MEARI_TEST_SHARDS})
      math(EXPR index "${shard} - 1")
      set(name ${folder}.part_${shard}_of_${MEARI_TEST_SHARDS})
      add_test(NAME ${name} COMMAND meari_${folder} WORKING_DIRECTORY "${PROJECT_BINARY_DIR}")
      set_tests_properties(${name} PROPERTIES
        LABELS ${folder}
        TIMEOUT 400
        ENVIRONMENT "GTEST_TOTAL_SHARDS=${MEARI_TEST_SHARDS};GTEST_SHARD_INDEX=${index}")
    endforeach()
    return()
  endif()
  gtest_discover_tests(meari_${folder}
    TEST_PREFIX "${folder}."
    DISCOVERY_MODE PRE_TEST
    NO_PRETTY_VALUES
    DISCOVERY_TIMEOUT 60
    WORKING_DIRECTORY "${PROJECT_BINARY_DIR}"
    PROPERTIES LABELS ${folder} TIMEOUT ${test_seconds})
endfunction()

if(NOT DEFINED MEARI_TEST_FOLDERS)                       # a preset may name fewer; not kept, so that a new one is built everywhere
  set(MEARI_TEST_FOLDERS unit contract sim regression conformance measuring)
endif()
foreach(folder IN LISTS MEARI_TEST_FOLDERS)
  if(NOT IS_DIRECTORY "${PROJECT_SOURCE_DIR}/tests/${folder}")
    message(FATAL_ERROR "meari: there is no folder tests/${folder} (MEARI_TEST_FOLDERS)")
  endif()
  # conformance compares the wire with epoll, note by note; measuring is what `meari bench` computes, and its load on the
  # simulated wire: tests of the command's code, and not of the program.
  if((folder STREQUAL "conformance" AND WIN32) OR (folder STREQUAL "measuring" AND NOT TARGET meari_command_code))
    continue()
  endif()
  meari_test_program(${folder})
endforeach()
if(TARGET meari_measuring)
  target_link_libraries(meari_measuring PRIVATE meari_command_code)
endif()

if(MEARI_TORTURE AND GTest_FOUND)
  # It needs a library with hooks, and so none of what the other tests share. tools/steps/torture.sh runs it.
  meari_sources(torture_sources tests/torture)
  add_executable(meari_torture ${torture_sources})
  set_target_properties(meari_torture PROPERTIES
    CXX_EXTENSIONS OFF
    EXCLUDE_FROM_ALL ON
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  target_compile_definitions(meari_torture PRIVATE MEARI_SOURCES="${PROJECT_SOURCE_DIR}/src")
  target_include_directories(meari_torture PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(meari_torture PRIVATE meari_tortured meari_flags PkgConfig::MEARI_URING GTest::gtest_main)
endif()

find_package(Python3 QUIET COMPONENTS Interpreter)
function(meari_python_tests folder)
  file(GLOB scripts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/${folder}/test_*.py")
  if(NOT Python3_FOUND)
    return()
  endif()
  foreach(script IN LISTS scripts)
    get_filename_component(name "${script}" NAME_WE)
    add_test(NAME ${folder}.${name}
      COMMAND Python3::Interpreter -B -m unittest -v ${name}
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}/tests/${folder}")
    set(test_environment
      "MEARI=${PROJECT_BINARY_DIR}/meari" "EXAMPLES=${PROJECT_BINARY_DIR}/examples"
      "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support"
      "LC_ALL=C.UTF-8")                                  # messages in English, whatever the developer's own language
    set_tests_properties(${folder}.${name} PROPERTIES
      LABELS ${folder}
      TIMEOUT 180
      FAIL_REGULAR_EXPRESSION "Ran 0 tests"              # unittest calls that a success
      ENVIRONMENT "${test_environment}")
    if(name MATCHES "^test_(bench|clients|datagrams|flags|limits)$")
      # What takes longest begins first, also where nobody has seen how long it takes: else the others are over, and all wait for it.
      set_tests_properties(${folder}.${name} PROPERTIES COST 100)
    endif()
  endforeach()
endfunction()

if(TARGET meari_command)
  meari_python_tests(command)
  if(WIN32)
    # What `meari serve exec` starts there. Elsewhere there are programs enough.
    add_executable(meari_program tests/command/program_windows.cpp)
    set_target_properties(meari_program PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
    target_link_libraries(meari_program PRIVATE ws2_32)
  endif()
endif()
if(MEARI_BUILD_EXAMPLES)
  meari_python_tests(examples)
endif()
meari_python_tests(lint)
meari_python_tests(tools)

if(MEARI_FUZZ AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  meari_sources(fuzz_sources tests/fuzz)
  set(fuzzed meari)                                      # a fuzzer steers by what runs there
  if(TARGET meari_command_code)
    list(APPEND fuzzed meari_command_code)
  endif()
  foreach(target IN LISTS fuzzed)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endforeach()
  foreach(source IN LISTS fuzz_sources)
    get_filename_component(name "${source}" NAME_WE)
    add_executable(fuzz_${name} "${source}")
    set_target_properties(fuzz_${name} PROPERTIES CXX_EXTENSIONS OFF RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
    target_link_libraries(fuzz_${name} PRIVATE meari_inside $<TARGET_NAME_IF_EXISTS:meari_command_code>)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer-no-link)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    # A third of a minute each, always from the same seed. Long runs with other seeds are a campaign of their own.
    # It starts from the samples in tests/fuzz/NAME/, if there are any, and puts what it finds into the build folder.
    set(corpus "${PROJECT_BINARY_DIR}/fuzz/found/${name}")
    file(MAKE_DIRECTORY "${corpus}")
    if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/tests/fuzz/${name}")
      list(APPEND corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/${name}")
    endif()
    add_test(NAME fuzz.${name}
      COMMAND fuzz_${name} -seed=1 -max_total_time=20 -artifact_prefix=${name}- ${corpus})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 240 WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/fuzz")
  endforeach()
endif()

if(MEARI_PACKAGE_TEST AND MEARI_INSTALL AND NOT CMAKE_CROSSCOMPILING)
  add_test(NAME package.installed
    COMMAND "${PROJECT_SOURCE_DIR}/tests/package/run.sh" "${PROJECT_BINARY_DIR}" "${CMAKE_CXX_COMPILER}")
  set_tests_properties(package.installed PROPERTIES LABELS package TIMEOUT 180)
endif()
