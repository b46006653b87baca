# Sources are found by room, so that a new file needs no line in a list. A file's name says where it is built:
#   posix*  *_posix  uring*  *_uring  epoll*  *_epoll  kernel*  *_kernel      everywhere but on Windows
#   windows*  *_windows  iocp*  *_iocp                                        on Windows only
# A room that does not exist has no files.
function(meari_sources out)
  set(found "")
  foreach(room IN LISTS ARGN)
    file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${room}/*.cpp")
    list(APPEND found ${files})
  endforeach()
  if(WIN32)
    list(FILTER found EXCLUDE REGEX "/((posix|uring|epoll|kernel)[^/]*|[^/]*_(posix|uring|epoll|kernel))\\.cpp$")
  else()
    list(FILTER found EXCLUDE REGEX "/((windows|iocp)[^/]*|[^/]*_(windows|iocp))\\.cpp$")
  endif()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# Where a build is made mostly for its tests, several files are compiled at a time (MEARI_UNITY). What is in an unnamed
# namespace then needs a name of its own in the whole program.
function(meari_unite target)
  if(MEARI_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  endif()
endfunction()
