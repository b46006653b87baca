# Said to everybody who compiles coroutines with meari, here and through the installed package.
# g++ 12 compiles ordinary coroutines to wrong code without a word (`if (co_await x)` whose body never runs, temporaries that are
# destroyed twice), and clang before 16 crashes or rejects <expected>. Clang 16 and 19 passed every shape that we tried.
if(NOT MEARI_TRUST_COMPILER AND ((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
   OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)))
  message(WARNING "meari: ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} silently miscompiles coroutines: "
    "handlers may lose statements or destroy objects twice. Use clang++ 16 or later, for example "
    "-DCMAKE_CXX_COMPILER=clang++-19. (MEARI_TRUST_COMPILER=ON silences this.)")
endif()
