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
