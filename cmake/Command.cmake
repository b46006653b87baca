# The command: build/<preset>/meari. The target is called meari_command because meari is the library's.
set(command_rooms speech explain flags manual serve connect bench)
list(TRANSFORM command_rooms PREPEND src/command/)
meari_sources(command_sources src/command ${command_rooms})
if(NOT command_sources)
  return()
endif()
if(CMAKE_CROSSCOMPILING)
  # These three need no compiled part. They are seen through a folder of links: all of /usr/include would show this system's own headers.
  add_library(meari_command_needs INTERFACE)
  foreach(library IN ITEMS CLI fmt nlohmann)
    file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/headers")
    file(CREATE_LINK "/usr/include/${library}" "${PROJECT_BINARY_DIR}/headers/${library}" SYMBOLIC)
  endforeach()
  target_include_directories(meari_command_needs SYSTEM INTERFACE "${PROJECT_BINARY_DIR}/headers")
  target_compile_definitions(meari_command_needs INTERFACE FMT_HEADER_ONLY)
else()
  find_package(CLI11 REQUIRED)
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  add_library(meari_command_needs INTERFACE)
  target_link_libraries(meari_command_needs INTERFACE CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json)
endif()

# All of it but main() is a library, which tests and fuzzers link as well.
set(command_code ${command_sources})
list(FILTER command_code EXCLUDE REGEX "/main\\.cpp$")
add_library(meari_command_code STATIC ${command_code})
set_target_properties(meari_command_code PROPERTIES CXX_EXTENSIONS OFF)
target_link_libraries(meari_command_code PUBLIC meari_inside meari_command_needs)

set(command_main ${command_sources})
list(FILTER command_main INCLUDE REGEX "/main\\.cpp$")
if(WIN32)
  enable_language(RC)
  list(APPEND command_main src/command/meari_windows.rc)
  set_source_files_properties(src/command/meari_windows.rc PROPERTIES
    OBJECT_DEPENDS "${PROJECT_SOURCE_DIR}/src/command/meari_windows.manifest")
endif()
add_executable(meari_command ${command_main})
set_target_properties(meari_command PROPERTIES
  OUTPUT_NAME meari
  CXX_EXTENSIONS OFF
  RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
target_link_libraries(meari_command PRIVATE meari_command_code)

# Optional libraries of the command, each named once: what it has is told to the sources as MEARI_HAS_<NAME>=1.
function(meari_command_may_use name module)
  pkg_check_modules(MEARI_${name} QUIET IMPORTED_TARGET ${module})
  if(MEARI_${name}_FOUND)
    target_link_libraries(meari_command_code PUBLIC PkgConfig::MEARI_${name})
    target_compile_definitions(meari_command_code PUBLIC MEARI_HAS_${name}=1)
  endif()
endfunction()
if(NOT WIN32)
  find_package(PkgConfig REQUIRED)
  meari_command_may_use(EDIT libedit)
  meari_command_may_use(SECCOMP libseccomp)
endif()
