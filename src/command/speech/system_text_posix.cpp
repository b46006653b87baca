// errno, less those that codes_posix.cpp has an Errc for: what files, programs, terminals and drivers answer.
#include "system_text.hpp"

#include <cerrno>

namespace meari::command {
namespace {

struct SystemText {
  int number;
  Text text;  // the English one is that of POSIX or errno(3)
};

constexpr SystemText table[] = {
    {E2BIG, {"argument list too long", "인수 목록이 너무 깁니다"}},
    {EBADMSG, {"bad message", "메시지가 올바르지 않습니다"}},
    {ECHILD, {"no child processes", "자식 프로세스가 없습니다"}},
    {EDEADLK, {"resource deadlock would occur", "교착 상태가 됩니다"}},
    {EDOM, {"argument out of the domain of the function", "함수가 받을 수 없는 값입니다"}},
    {EDQUOT, {"disk quota exceeded", "디스크 할당량을 넘었습니다"}},
    {EEXIST, {"file exists", "파일이 이미 있습니다"}},
    {EFAULT, {"bad address", "잘못된 메모리 주소입니다"}},
    {EFBIG, {"file too large", "파일이 너무 큽니다"}},
    {EIDRM, {"identifier removed", "식별자가 없어졌습니다"}},
    {EILSEQ, {"invalid byte sequence", "잘못된 문자 바이트입니다"}},
    {EIO, {"input/output error", "입출력 오류입니다"}},
    {EISDIR, {"is a directory", "디렉터리입니다"}},
    {ELOOP, {"too many levels of symbolic links", "심볼릭 링크를 너무 여러 번 거칩니다"}},
    {EMLINK, {"too many links", "링크가 너무 많습니다"}},
    {EMULTIHOP, {"multihop attempted", "여러 곳을 거치는 경로입니다"}},
    {ENOEXEC, {"exec format error", "실행할 수 있는 형식이 아닙니다"}},
    {ENOLCK, {"no locks available", "잠금을 더 만들 수 없습니다"}},
    {ENOLINK, {"link has been severed", "연결 고리가 끊어졌습니다"}},
    {ENOMSG, {"no message of the desired type", "그런 종류의 메시지가 없습니다"}},
    {ENOSPC, {"no space left on device", "장치에 빈 공간이 없습니다"}},
    {ENOTDIR, {"not a directory", "디렉터리가 아닙니다"}},
    {ENOTEMPTY, {"directory not empty", "디렉터리가 비어 있지 않습니다"}},
    {ENOTRECOVERABLE, {"state not recoverable", "되돌릴 수 없는 상태입니다"}},
    {ENOTTY, {"inappropriate ioctl for device", "이 장치에는 쓸 수 없는 ioctl입니다"}},
    {EOVERFLOW, {"value too large for defined data type", "값이 자료형의 범위를 넘습니다"}},
    {EOWNERDEAD, {"owner died", "소유하던 프로세스가 끝났습니다"}},
    {ERANGE, {"result too large", "결과가 범위를 넘습니다"}},
    {ESPIPE, {"illegal seek", "위치를 옮길 수 없습니다"}},
    {ESRCH, {"no such process", "그런 프로세스가 없습니다"}},
    {ESTALE, {"stale file handle", "더는 쓸 수 없는 파일입니다(네트워크 파일 시스템)"}},
    {ETXTBSY, {"text file busy", "실행 중이거나 쓰고 있는 프로그램 파일입니다"}},
    {EXDEV, {"invalid cross-device link", "다른 장치에 걸쳐 링크할 수 없습니다"}},
#if defined(__linux__)
    {EBADE, {"invalid exchange", "잘못된 교환입니다"}},
    {EBADFD, {"file descriptor in bad state", "디스크립터의 상태가 올바르지 않습니다"}},
    {ECOMM, {"communication error on send", "보내는 동안 통신 오류가 났습니다"}},
    {EHWPOISON, {"memory page has hardware error", "메모리 하드웨어 오류입니다"}},
    {EKEYEXPIRED, {"key has expired", "키가 만료되었습니다"}},
    {EKEYREJECTED, {"key was rejected by service", "키가 거부되었습니다"}},
    {ELIBACC, {"cannot access a needed shared library", "필요한 공유 라이브러리를 열 수 없습니다"}},
    {ELIBBAD, {"accessing a corrupted shared library", "공유 라이브러리가 손상되었습니다"}},
    {ELIBEXEC, {"cannot exec a shared library directly", "공유 라이브러리를 직접 실행할 수 없습니다"}},
    {EMEDIUMTYPE, {"wrong medium type", "저장 매체의 종류가 맞지 않습니다"}},
    {ENODATA, {"no data available", "데이터가 없습니다"}},
    {ENOKEY, {"required key not available", "필요한 키가 없습니다"}},
    {ENOMEDIUM, {"no medium found", "저장 매체가 없습니다"}},
    {ENONET, {"machine is not on the network", "이 컴퓨터는 네트워크에 연결되어 있지 않습니다"}},
    {ENOPKG, {"package not installed", "패키지가 설치되어 있지 않습니다"}},
    {ENOTBLK, {"block device required", "블록 장치가 필요합니다"}},
    {ENOTUNIQ, {"name not unique on network", "네트워크에서 하나뿐인 이름이 아닙니다"}},
    {EREMOTEIO, {"remote I/O error", "원격 입출력 오류입니다"}},
    {ERESTART, {"interrupted system call should be restarted", "중단된 호출을 다시 해야 합니다"}},
    {ESTRPIPE, {"streams pipe error", "파이프 오류입니다"}},
    {ETIME, {"timer expired", "타이머 시간이 다 되었습니다"}},
    {ETOOMANYREFS, {"too many references", "넘기고 있는 디스크립터가 너무 많습니다"}},
    {EUCLEAN, {"structure needs cleaning", "파일 시스템을 검사해야 합니다"}},
    {EUSERS, {"too many users", "사용자가 너무 많습니다"}},
#endif
};

}  // namespace

std::string_view system_text(Language language, int number) noexcept {
  if (language == Language::en) return {};
  for (const SystemText& known : table)
    if (known.number == number) return known.text.in(language);
  return {};
}

}  // namespace meari::command
