#include "library_text.hpp"

#include <charconv>
#include <span>

#include "system_text.hpp"

namespace meari::command {
namespace {

// What an Error was about, as the half-sentence in front of its colon. {} is its subject.
struct Operation {
  std::string_view en;
  std::string_view with_subject;
  std::string_view alone;
};
constexpr Operation operations[] = {
    {"accept", "{}의 연결을 받지 못했습니다", "연결을 받지 못했습니다"},
    {"accept on", "{}에서 연결을 받지 못했습니다", "연결을 받지 못했습니다"},
    {"address", "주소 {}", "주소"},
    {"adopt a descriptor", "{}: 열려 있는 소켓을 넘겨받지 못했습니다", "열려 있는 소켓을 넘겨받지 못했습니다"},
    {"announce to", "{}: 주소를 알리지 못했습니다", "주소를 알리지 못했습니다"},
    {"ask for TCP_INFO", "{}: TCP_INFO를 물어보지 못했습니다", "TCP_INFO를 물어보지 못했습니다"},
    {"ask for queue lengths", "{}: 대기열 길이를 물어보지 못했습니다", "대기열 길이를 물어보지 못했습니다"},
    {"ask for the descriptor limit", "{}: 디스크립터 한도를 물어보지 못했습니다",
     "디스크립터 한도를 물어보지 못했습니다"},
    {"ask for the local address", "{}: 이쪽 주소를 물어보지 못했습니다", "이쪽 주소를 물어보지 못했습니다"},
    {"ask for the peer's address", "{}: 상대 주소를 물어보지 못했습니다", "상대 주소를 물어보지 못했습니다"},
    {"bind", "{}에 소켓을 붙이지 못했습니다", "소켓에 주소를 붙이지 못했습니다"},
    {"cancel an operation", "{}: 작업을 취소하지 못했습니다", "작업을 취소하지 못했습니다"},
    {"close", "{}: 닫지 못했습니다", "닫지 못했습니다"},
    {"connect to", "{}에 연결하지 못했습니다", "연결하지 못했습니다"},
    {"deal to a loop", "{}: 루프에 세션을 나누어 줄 수 없습니다", "루프에 세션을 나누어 줄 수 없습니다"},
    {"epoll_create1", "{}: epoll을 만들지 못했습니다", "epoll을 만들지 못했습니다"},
    {"epoll_ctl", "{}: epoll에 등록하지 못했습니다", "epoll에 등록하지 못했습니다"},
    {"eventfd", "{}: eventfd를 만들지 못했습니다", "eventfd를 만들지 못했습니다"},
    {"finish", "{}: 보내기를 끝내지 못했습니다", "보내기를 끝내지 못했습니다"},
    {"forward to", "{}에 이어 주지 못했습니다", "이어 주지 못했습니다"},
    {"install a console handler", "{}: 콘솔 신호 처리기를 두지 못했습니다", "콘솔 신호 처리기를 두지 못했습니다"},
    {"install signal handlers", "{}: 신호 처리기를 두지 못했습니다", "신호 처리기를 두지 못했습니다"},
    {"io_uring_enter", "{}: io_uring을 부르지 못했습니다", "io_uring을 부르지 못했습니다"},
    {"io_uring_register", "{}: io_uring에 등록하지 못했습니다", "io_uring에 등록하지 못했습니다"},
    {"io_uring_setup", "{}: io_uring을 만들지 못했습니다", "io_uring을 만들지 못했습니다"},
    {"join a completion port", "{}: 완료 포트에 붙이지 못했습니다", "완료 포트에 붙이지 못했습니다"},
    {"listen on", "{}에서 기다릴 수 없습니다", "연결을 기다릴 수 없습니다"},
    {"listen on a descriptor", "{}: 넘겨받은 소켓에서 기다릴 수 없습니다", "넘겨받은 소켓에서 기다릴 수 없습니다"},
    {"look for ConnectEx", "{}: ConnectEx를 찾지 못했습니다", "ConnectEx를 찾지 못했습니다"},
    {"look up", "{}: 이름을 찾지 못했습니다", "이름을 찾지 못했습니다"},
    {"make a completion port", "{}: 완료 포트를 만들지 못했습니다", "완료 포트를 만들지 못했습니다"},
    {"make a file", "{}: 파일을 만들지 못했습니다", "파일을 만들지 못했습니다"},
    {"make a job", "{}: 작업 개체를 만들지 못했습니다", "작업 개체를 만들지 못했습니다"},
    {"make files in", "{}: 이 디렉터리에 파일을 만들 수 없습니다", "파일을 만들 수 없습니다"},
    {"MEARI_BACKEND is to be auto or iocp on Windows, but it is",
     "MEARI_BACKEND={}: Windows에서는 auto, iocp 가운데 하나여야 합니다", "MEARI_BACKEND"},
    {"MEARI_BACKEND is to be auto, uring, uring-floor or epoll, but it is",
     "MEARI_BACKEND={}: auto, uring, uring-floor, epoll 가운데 하나여야 합니다", "MEARI_BACKEND"},
    {"network", "네트워크 {}", "네트워크"},
    {"open a socket", "{}: 소켓을 열지 못했습니다", "소켓을 열지 못했습니다"},
    {"open a socket pair", "{}: 소켓 한 쌍을 열지 못했습니다", "소켓 한 쌍을 열지 못했습니다"},
    {"pipe", "{}: 파이프를 열지 못했습니다", "파이프를 열지 못했습니다"},
    {"raise the descriptor limit", "{}: 디스크립터 한도를 올리지 못했습니다", "디스크립터 한도를 올리지 못했습니다"},
    {"read", "{}: 받지 못했습니다", "받지 못했습니다"},
    {"read a file", "{}: 파일을 읽지 못했습니다", "파일을 읽지 못했습니다"},
    {"read a line", "{}: 한 줄을 받지 못했습니다", "한 줄을 받지 못했습니다"},
    {"receive", "{}: 받지 못했습니다", "받지 못했습니다"},
    {"send to", "{}에 보내지 못했습니다", "보내지 못했습니다"},
    {"set FIONBIO", "{}: FIONBIO를 설정하지 못했습니다", "FIONBIO를 설정하지 못했습니다"},
    {"set O_NONBLOCK", "{}: O_NONBLOCK을 설정하지 못했습니다", "O_NONBLOCK을 설정하지 못했습니다"},
    {"set SIO_KEEPALIVE_VALS", "{}: SIO_KEEPALIVE_VALS를 설정하지 못했습니다",
     "SIO_KEEPALIVE_VALS를 설정하지 못했습니다"},
    {"set SO_RCVTIMEO", "{}: SO_RCVTIMEO를 설정하지 못했습니다", "SO_RCVTIMEO를 설정하지 못했습니다"},
    {"set SO_REUSEPORT", "{}: SO_REUSEPORT를 설정하지 못했습니다", "SO_REUSEPORT를 설정하지 못했습니다"},
    {"shut down", "{}: 한 방향을 닫지 못했습니다", "한 방향을 닫지 못했습니다"},
    {"socketpair", "{}: 소켓 한 쌍을 열지 못했습니다", "소켓 한 쌍을 열지 못했습니다"},
    {"start Winsock", "{}: Winsock을 시작하지 못했습니다", "Winsock을 시작하지 못했습니다"},
    {"spawn", "{}: 작업을 시작하지 못했습니다", "작업을 시작하지 못했습니다"},
    {"start", "{}: 실행하지 못했습니다", "실행하지 못했습니다"},
    {"start a backend", "{}: 백엔드를 시작하지 못했습니다", "백엔드를 시작하지 못했습니다"},
    {"start a helper thread", "{}: 보조 스레드를 시작하지 못했습니다", "보조 스레드를 시작하지 못했습니다"},
    {"start a thread", "{}: 스레드를 시작하지 못했습니다", "스레드를 시작하지 못했습니다"},
    {"take over", "{}: 열려 있는 소켓을 넘겨받지 못했습니다", "열려 있는 소켓을 넘겨받지 못했습니다"},
    {"wait", "{}: 기다리지 못했습니다", "기다리지 못했습니다"},
    {"wait for events", "{}: 이벤트를 기다리지 못했습니다", "이벤트를 기다리지 못했습니다"},
    {"watch a descriptor", "{}: 디스크립터를 지켜볼 수 없습니다", "디스크립터를 지켜볼 수 없습니다"},
    {"write", "{}: 보내지 못했습니다", "보내지 못했습니다"},
    {"write a file", "{}: 파일에 쓰지 못했습니다", "파일에 쓰지 못했습니다"},
};

constexpr Text sentences[] = {
    // what an Errc says
    {"no error", "오류 없음"},
    {"invalid argument", "값이 올바르지 않습니다"},
    {"not supported here", "여기서는 지원하지 않습니다"},
    {"already closed, or never opened", "이미 닫혔거나 연 적이 없습니다"},
    {"busy: it already waits for one", "이미 하나를 기다리고 있습니다"},
    {"limit reached", "한도에 이르렀습니다"},
    {"canceled", "취소되었습니다"},
    {"timed out", "시간이 다 되었습니다"},
    {"connection refused", "연결이 거부되었습니다"},
    {"connection reset by the peer", "상대가 연결을 끊었습니다(RST)"},
    {"connection aborted", "연결이 중단되었습니다"},
    {"the peer has closed", "상대가 이미 닫았습니다"},
    {"not connected", "연결되어 있지 않습니다"},
    {"the stream ended too early", "데이터가 너무 일찍 끝났습니다"},
    {"only a part was written", "일부만 보냈습니다"},
    {"the encrypted connection was cut", "암호화된 연결이 끊겼습니다"},
    {"encryption failed", "암호화에 실패했습니다"},
    {"host unreachable", "호스트에 닿을 수 없습니다"},
    {"network unreachable", "네트워크에 닿을 수 없습니다"},
    {"the network is down", "네트워크가 꺼져 있습니다"},
    {"connected to itself", "자기 자신에게 연결되었습니다"},
    {"message too long", "메시지가 너무 깁니다"},
    {"address already in use", "이미 사용 중인 주소입니다"},
    {"address not available", "쓸 수 없는 주소입니다"},
    {"name not found", "그런 이름이 없습니다"},
    {"the name cannot be looked up now", "지금은 이름을 찾을 수 없습니다"},
    {"no such file or socket", "그런 파일이나 소켓이 없습니다"},
    {"permission denied", "권한이 없습니다"},
    {"too many open descriptors", "열린 디스크립터가 너무 많습니다"},
    {"out of memory", "메모리가 부족합니다"},
    {"the system is out of buffers", "시스템의 버퍼가 부족합니다"},
    {"would have to wait", "기다려야 합니다"},
    {"in progress", "진행 중입니다"},
    {"interrupted", "중단되었습니다"},
    {"system error", "시스템 오류"},

    // what it advises
    {"This system or this kind of socket cannot do it.", "이 시스템이나 이 종류의 소켓으로는 할 수 없습니다."},
    {"The socket was used after its end; look for a second close or for a handle that was moved from.",
     "소켓을 닫은 뒤에 썼습니다. 두 번 닫거나, 이동시킨 뒤에 쓰는 곳이 있는지 보십시오."},
    {"Wait for the first receive before starting a second one on the same stream.",
     "같은 스트림에서는 앞선 받기가 끝난 다음에 다시 받으십시오."},
    {"A bound of this program was reached; raise it if what is being sent is right.",
     "이 프로그램이 정한 한도에 이르렀습니다. 보내는 내용이 맞다면 한도를 올리십시오."},
    {"No answer came in time; is the other end running, and does a firewall drop what is sent to it?",
     "제때 답이 없었습니다. 상대가 실행 중입니까? 방화벽이 막고 있지는 않습니까?"},
    {"Nothing listens there; is the server running, and on this port?",
     "그곳에서 기다리는 프로그램이 없습니다. 서버가 이 포트에서 실행 중인지 확인하십시오."},
    {"The other program ended, or closed without reading all that was sent to it.",
     "상대 프로그램이 끝났거나, 보낸 것을 다 읽지 않고 닫았습니다."},
    {"The connection ended before it could be used; the client may simply try again.",
     "연결이 쓰이기도 전에 끝났습니다. 클라이언트가 다시 시도하면 됩니다."},
    {"The other end no longer receives; what was sent last may not have arrived.",
     "상대가 더는 받지 않습니다. 마지막에 보낸 것은 도착하지 않았을 수 있습니다."},
    {"Connect first; or the peer left before this call.", "먼저 연결하십시오. 또는 상대가 그 전에 떠났습니다."},
    {"The peer finished sending inside a message; what was received so far is incomplete.",
     "상대가 메시지 중간에 보내기를 끝냈습니다. 지금까지 받은 것은 완전하지 않습니다."},
    {"Close this connection: the peer holds a part of a message that cannot be completed.",
     "이 연결을 닫으십시오. 상대는 완성할 수 없는 메시지의 일부를 가지고 있습니다."},
    {"The connection ended without TLS's goodbye; do not trust that all of the data arrived.",
     "TLS의 끝인사 없이 연결이 끝났습니다. 데이터가 다 왔다고 믿어서는 안 됩니다."},
    {"The two ends do not agree on certificates, names or versions of TLS.",
     "양쪽의 인증서, 이름 또는 TLS 버전이 맞지 않습니다."},
    {"No way leads to that address; is the machine on, and is the address right?",
     "그 주소로 가는 길이 없습니다. 컴퓨터가 켜져 있고 주소가 맞는지 확인하십시오."},
    {"This machine has no route to that network; check its network connection.",
     "이 컴퓨터에서 그 네트워크로 가는 경로가 없습니다. 네트워크 연결을 확인하십시오."},
    {"Bring the network interface up.", "네트워크 인터페이스를 켜십시오."},
    {"Nothing listens there: the system chose the very port that was to be reached. Start the server, or use a port "
     "below the ephemeral range.",
     "그곳에서 기다리는 프로그램이 없어, 시스템이 고른 포트가 바로 그 목적지 포트였습니다. 서버를 시작하거나 임시 포트 "
     "범위보다 "
     "낮은 포트를 쓰십시오."},
    {"A datagram holds at most 65507 bytes over IPv4; send smaller ones.",
     "IPv4 데이터그램에는 65507바이트까지 들어갑니다. 더 작게 보내십시오."},
    {"Another program listens there; choose another port (0 lets the system choose) or stop it.",
     "다른 프로그램이 이미 그곳에서 기다립니다. 다른 포트를 고르거나(0이면 시스템이 고릅니다) 그 프로그램을 "
     "멈추십시오."},
    {"The address is not one of this machine's, or all local ports towards that target are in use.",
     "이 컴퓨터의 주소가 아니거나, 그 목적지로 쓸 수 있는 포트가 모두 사용 중입니다."},
    {"Check the spelling of the host's name, or use its numeric address.",
     "호스트 이름의 철자를 확인하거나 숫자 주소를 쓰십시오."},
    {"The name server did not answer; try again, or check the network connection.",
     "이름 서버가 답하지 않았습니다. 다시 시도하거나 네트워크 연결을 확인하십시오."},
    {"Is the server running, and on this path?", "서버가 이 경로에서 실행 중입니까?"},
    {"Check the owner and the mode of the path, or the firewall's rules.",
     "경로의 소유자와 권한, 또는 방화벽 규칙을 확인하십시오."},
    {"Raise the limit (`ulimit -n`), or serve fewer connections at a time.",
     "한도를 올리거나(`ulimit -n`) 한 번에 받는 연결을 줄이십시오."},
    {"Serve fewer connections at a time, or give the program more memory.",
     "한 번에 받는 연결을 줄이거나 메모리를 늘리십시오."},
    {"The system's network memory is used up; send more slowly, or try again later.",
     "시스템의 네트워크 메모리를 다 썼습니다. 천천히 보내거나 나중에 다시 시도하십시오."},
    {"A port below 1024 needs a privilege; choose a port from 1024 up, or give the program CAP_NET_BIND_SERVICE.",
     "1024보다 낮은 포트에는 권한이 필요합니다. 1024 이상의 포트를 고르거나 CAP_NET_BIND_SERVICE 권한을 주십시오."},
    {"Another program listens on this path, or it is no socket; choose another one.",
     "다른 프로그램이 이 경로에서 기다리거나, 소켓이 아닌 파일이 있습니다. 다른 경로를 고르십시오."},
    {"Whoever starts this program has to open the descriptor and pass it on.",
     "이 프로그램을 띄우는 쪽에서 디스크립터를 열어 넘겨주어야 합니다."},
    {"Nothing listens on this path any more; start the server again.",
     "이 경로에서 기다리던 프로그램이 끝났습니다. 서버를 다시 시작하십시오."},
    {"Check the spelling of the path.", "경로를 바르게 적었는지 확인하십시오."},
    {"No directory of PATH has a program of that name.", "PATH의 어느 디렉터리에도 그런 이름의 프로그램이 없습니다."},
    {"Check the owner and the mode of the path.", "경로의 소유자와 권한을 확인하십시오."},
    {"Make the directory of this path first.", "이 경로의 디렉터리를 먼저 만드십시오."},
    {"The address is not one of this machine's; use :PORT for all of them.",
     "이 컴퓨터의 주소가 아닙니다. 모든 주소에서 기다리려면 :포트라고 쓰십시오."},

    // what is wrong with an address
    {"the port is missing", "포트가 없습니다"},
    {"the port is not a number", "포트가 숫자가 아닙니다"},
    {"a port is at most 65535", "포트는 65535까지입니다"},
    {"for all addresses write nothing before the colon", "모든 주소를 뜻하려면 콜론 앞을 비워 두십시오"},
    {"a host's name has at most 253 bytes", "호스트 이름은 253바이트까지입니다"},
    {"an IPv4 address is four numbers from 0 to 255 with dots between them and no leading zeros",
     "IPv4 주소는 점으로 나눈 0에서 255까지의 숫자 네 개이며 앞에 0을 붙이지 않습니다"},
    {"a host's name holds letters, digits, dots and hyphens only",
     "호스트 이름에는 글자, 숫자, 점, 붙임표만 쓸 수 있습니다"},
    {"the path is missing", "경로가 없습니다"},
    {"a path cannot hold a NUL byte", "경로에는 NUL 바이트가 들어갈 수 없습니다"},
    {"the path of a Unix-domain socket has at most 107 bytes", "유닉스 도메인 소켓의 경로는 107바이트까지입니다"},
    {"the closing bracket is missing", "닫는 대괄호가 없습니다"},
    {"after the closing bracket comes a colon and the port", "닫는 대괄호 뒤에는 콜론과 포트가 와야 합니다"},
    {"there is more than one colon; an IPv6 address needs brackets",
     "콜론이 둘 이상입니다. IPv6 주소는 대괄호로 묶으십시오"},
    {"there is no address", "주소가 없습니다"},
    {"the address holds a NUL byte", "주소에 NUL 바이트가 있습니다"},
    {"a descriptor knows its own kind; leave udp: out", "디스크립터의 종류는 이미 정해져 있으니 udp:는 빼십시오"},
    {"udp: stands there twice", "udp:가 두 번 있습니다"},
    {"after fd: comes the number of an open descriptor", "fd: 뒤에는 열려 있는 디스크립터 번호가 와야 합니다"},
    {"what stands between the brackets is not an IPv6 address", "대괄호 안이 IPv6 주소가 아닙니다"},
    {"this is not a numeric address; write 127.0.0.1:9000, [::1]:9000, unix:/run/x.sock or unix:@name",
     "숫자 주소가 아닙니다. 127.0.0.1:9000, [::1]:9000, unix:/run/x.sock, unix:@name처럼 쓰십시오"},
    {"write 9000, :9000, localhost:9000, 127.0.0.1:9000, [::1]:9000, unix:/run/x.sock, unix:@name or fd:3, with udp: "
     "in front for datagrams",
     "9000, :9000, localhost:9000, 127.0.0.1:9000, [::1]:9000, unix:/run/x.sock, unix:@name, fd:3처럼 쓰고, "
     "데이터그램이면 앞에 "
     "udp:를 붙이십시오"},

    // other reasons
    {"a descriptor is open already and has no addresses to look up", "이미 열린 디스크립터라서 찾을 주소가 없습니다"},
    {"it needs a family: ipv4, ipv6 or local", "ipv4, ipv6, local 가운데 하나가 필요합니다"},
    {"it is not a directory", "디렉터리가 아닙니다"},
    {"it is no socket", "소켓이 아닙니다"},
    {"the disk is full", "디스크가 가득 찼습니다"},
    {"there is no room in the buffer", "버퍼에 자리가 없습니다"},
    {"completion ports are of Windows", "완료 포트(IOCP)는 Windows의 것입니다"},
    {"io_uring and epoll are of Linux; Windows has iocp",
     "io_uring과 epoll은 Linux의 것입니다. Windows에는 iocp가 있습니다"},
    {"Windows has no abstract names; use a path", "Windows에는 추상 이름이 없습니다. 경로를 쓰십시오"},
    {"cmd.exe would take its arguments apart in its own way; start a program",
     "cmd.exe는 인자를 제 나름대로 나눕니다. 프로그램을 쓰십시오"},

    // why the handlers of the command give up
    {"write 192.0.2.0/24 or 2001:db8::/32", "192.0.2.0/24, 2001:db8::/32처럼 쓰십시오"},
    {"it did not read what was sent to it", "보낸 것을 읽지 않습니다"},
    {"that is this server itself", "바로 이 서버 자신입니다"},
    {"none of its addresses is of the family of --source", "--source와 같은 종류(IPv4, IPv6)의 주소가 없습니다"},

    // why a server pauses
    {"as many sessions as may be", "세션 수가 한도에 이르렀습니다"},
    {"as many new sessions in a second as may be", "1초에 받을 새 세션 수가 한도에 이르렀습니다"},
    {"until one ends", "하나가 끝날 때까지"},
    {"until the second is over", "그 1초가 지날 때까지"},

    // why another backend was taken
    {"io_uring is disabled here (kernel.io_uring_disabled=1); using epoll",
     "여기서는 io_uring이 꺼져 있어(kernel.io_uring_disabled=1) epoll을 씁니다"},
    {"io_uring is disabled here (kernel.io_uring_disabled=2); using epoll",
     "여기서는 io_uring이 꺼져 있어(kernel.io_uring_disabled=2) epoll을 씁니다"},
    {"this kernel has no io_uring, or hides it; using epoll", "이 커널에 io_uring이 없거나 가려져 있어 epoll을 씁니다"},
    {"io_uring is forbidden here (by a seccomp filter, as containers have it); using epoll",
     "여기서는 io_uring이 금지되어 있어(컨테이너에서 흔한 seccomp 필터) epoll을 씁니다"},
    {"this kernel's io_uring is older than Linux 6.1; using epoll",
     "이 커널의 io_uring은 Linux 6.1보다 오래되어 epoll을 씁니다"},
};

// "system error 21: Is a directory".
std::string system_reason(Language language, std::string_view english) {
  constexpr std::string_view front = "system error";
  const std::string_view rest = english.substr(front.size() + 1);
  int number = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), number);
  std::string text(translated(language, front));
  const std::string_view known = system_text(language, number);
  if (known.empty()) return text += ' ' + std::string(rest);
  return text += ' ' + std::to_string(number) + ": " + std::string(known);
}

// What follows an Error's operation and subject: the reason, perhaps with a hint behind it.
std::string reason(Language language, std::string_view why) {
  if (const std::string_view whole = translated(language, why); whole != why) return std::string(whole);
  if (const std::size_t cut = why.rfind("; write "); cut != std::string_view::npos)
    return std::string(translated(language, why.substr(0, cut))) + ". " +
           std::string(translated(language, why.substr(cut + 2)));
  if (why.starts_with("system error ")) return system_reason(language, why);
  return std::string(why);
}

std::string subject_of(Language language, const Error& error) {
  for (const Operation& known : operations) {
    if (language != Language::ko || known.en != error.operation()) continue;
    if (error.subject().empty()) return std::string(known.alone);
    std::string sentence(known.with_subject);
    return sentence.replace(sentence.find("{}"), 2, error.subject());
  }
  std::string words = error.operation();
  if (!words.empty() && !error.subject().empty()) words += ' ';
  return words += error.subject();
}

}  // namespace

std::string_view translated(Language language, std::string_view english) noexcept {
  if (language == Language::en) return english;
  for (const Text& sentence : sentences)
    if (sentence.in(Language::en) == english) return sentence.in(language);
  return english;
}

std::string translated_reason(Language language, std::string_view english) {
  if (const std::string_view whole = translated(language, english); whole != english) return std::string(whole);
  const std::size_t colon = english.find(": ");
  if (colon == std::string_view::npos) return std::string(english);
  const std::string_view front = english.substr(0, colon);
  std::string_view back = english.substr(colon + 2);
  std::string until;
  if (const std::size_t comma = back.find(", until "); comma != std::string_view::npos) {
    until = ", " + std::string(translated(language, back.substr(comma + 2)));
    back = back.substr(0, comma);
  }
  for (const Operation& known : operations) {
    if (language == Language::ko && known.en == front) return std::string(known.alone) + ": " + reason(language, back);
  }
  return std::string(translated(language, front)) + ": " + std::string(translated(language, back)) + until;
}

std::string message_of(Language language, const Error& error) {
  const std::string english = error.message();
  if (language == Language::en) return english;
  const std::string what = subject_of(Language::en, error);
  const std::string_view why = std::string_view(english).substr(what.empty() ? 0 : what.size() + 2);
  if (what.empty()) return reason(language, why);
  return subject_of(language, error) + ": " + reason(language, why);
}

std::string_view advice_for(Language language, const Error& error) noexcept {
  return translated(language, error.advice());
}

}  // namespace meari::command
