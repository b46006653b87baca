# Every examples/NAME.cpp is one program, build/<preset>/examples/NAME, that knows the public headers and nothing else.
meari_sources(example_sources examples)
foreach(source IN LISTS example_sources)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(example_${name} "${source}")
  set_target_properties(example_${name} PROPERTIES
    OUTPUT_NAME ${name}
    CXX_EXTENSIONS OFF
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/examples")
  target_link_libraries(example_${name} PRIVATE meari::meari meari_flags)
endforeach()
