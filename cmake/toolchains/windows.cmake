# Windows from Debian: clang++-19 compiles, with the headers and libraries of mingw-w64 and libstdc++ of its g++ (whose own
# coroutines are compiled wrongly, see cmake/TrustedCompiler.cmake). wine, if there, runs what has been built.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(triple x86_64-w64-mingw32)
set(CMAKE_C_COMPILER clang-19)                            # GoogleTest asks for one
set(CMAKE_CXX_COMPILER clang++-19)
set(CMAKE_C_COMPILER_TARGET ${triple})
set(CMAKE_CXX_COMPILER_TARGET ${triple})
set(CMAKE_RC_COMPILER ${triple}-windres)
set(CMAKE_AR ${triple}-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${triple}-ranlib CACHE FILEPATH "")
set(CMAKE_STRIP ${triple}-strip CACHE FILEPATH "" FORCE)

# The variant with POSIX threads, by name: without it clang takes the one that sorts last, and that has no std::thread.
file(GLOB MEARI_MINGW_LIBRARIES /usr/lib/gcc/${triple}/*-posix)
list(SORT MEARI_MINGW_LIBRARIES COMPARE NATURAL ORDER DESCENDING)
list(GET MEARI_MINGW_LIBRARIES 0 MEARI_MINGW_LIBRARIES)
set(CMAKE_CXX_FLAGS_INIT
  "-nostdinc++ -isystem ${MEARI_MINGW_LIBRARIES}/include/c++ -isystem ${MEARI_MINGW_LIBRARIES}/include/c++/${triple} -isystem ${MEARI_MINGW_LIBRARIES}/include/c++/backward")
# thread_local variables are kept as g++ keeps them, because libstdc++ has some: those of std::call_once.
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-femulated-tls>)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -L${MEARI_MINGW_LIBRARIES}")
set(CMAKE_CXX_STANDARD_LIBRARIES "-Wl,--start-group -lstdc++ -lpthread -lgcc_eh -Wl,--end-group")

set(CMAKE_FIND_ROOT_PATH /usr/${triple})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Not the command `wine`: that one complains when there is no 32-bit wine, which nothing here needs.
find_program(MEARI_WINE NAMES wine64 wine PATHS /usr/lib/wine NO_DEFAULT_PATH)
if(MEARI_WINE)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../../tools/wine.sh")
endif()
