#include "flags.hpp"

#include <iterator>

#include "src/command/speech/status.hpp"

namespace meari::command {
namespace {

// Tables are composed by hand.
// clang-format off
constexpr FlagInfo flag_table[] = {
    {Flag::once, "once", '\0', in_serve, Value::none, "",
     {"serve one session, then exit", "세션 하나만 처리하고 끝냅니다"},
     {"The exit status is that of the session: 0 when it finished, 3 when it was cut short. Whoever connects "
      "meanwhile is turned away.",
      "종료 상태는 그 세션의 결과입니다. 끝까지 마쳤으면 0, 도중에 끊겼으면 3입니다. 그동안 연결한 다른 클라이언트는 돌려보냅니다."}},
    {Flag::max_sessions, "max-sessions", '\0', in_serve, Value::count, "N",
     {"at most N sessions at a time", "동시에 처리할 세션 수의 한도"},
     {"Clients beyond the limit wait in the system's queue and are served when a session ends; nobody is refused. "
      "Default: as many as the process may have descriptors (ulimit -n), less a reserve.",
      "한도를 넘는 클라이언트는 시스템의 대기열에서 기다리다가 세션 하나가 끝나면 처리됩니다. 거부되지는 않습니다. 기본값은 프로세스의 디스크립터 한도(ulimit -n)에서 여유분을 뺀 수입니다."}},
    {Flag::max_per_source, "max-per-source", '\0', in_serve, Value::count, "N",
     {"at most N sessions at a time from one source", "한 곳에서 동시에 여는 세션 수의 한도"},
     {"A source is an IPv4 address, or the first 64 bits of an IPv6 address. Who comes beyond the limit is closed at "
      "once, until one of its sessions has ended; one line says so each time that begins. Default: no limit.",
      "한 곳이란 IPv4 주소 하나, 또는 IPv6 주소의 앞 64비트입니다. 한도를 넘으면 바로 닫고, 그곳의 세션 하나가 끝나면 다시 받습니다. 한도에 이를 때마다 한 줄로 알립니다. 기본값은 한도 없음입니다."}},
    {Flag::max_rate, "max-rate", '\0', in_serve, Value::count, "N",
     {"at most N new sessions a second", "1초에 새로 받을 세션 수의 한도"},
     {"Whoever comes beyond that waits in the system's queue until the second is over; nobody is refused. One line says "
      "that it pauses, and one that nobody has had to wait for two seconds. Default: no limit.",
      "한도를 넘는 클라이언트는 그 1초가 지날 때까지 시스템의 대기열에서 기다립니다. 거부되지는 않습니다. 멈추기 시작할 때, 그리고 2초 동안 아무도 기다리지 않았을 때 한 줄씩 알립니다. 기본값은 한도 없음입니다."}},
    {Flag::limit_rate, "limit-rate", '\0', in_serve, Value::text, "SIZE",
     {"at most SIZE bytes a second on each connection: 64k, 1M", "연결마다 1초에 오가는 바이트의 한도: 64k, 1M"},
     {"In each direction, whatever the handler. What comes faster is not read, so that the peer has to wait; nothing is "
      "lost; one line says that it slows a session down. k and M are powers of 1024. Datagrams cannot be made to wait, so not with udp:. Default: no limit.",
      "처리기가 무엇이든 양방향에 따로 적용됩니다. 더 빨리 오는 것은 읽지 않고 상대를 기다리게 하므로 잃는 것은 없고, 세션을 늦추기 시작하면 한 줄로 알립니다. k와 M은 1024의 거듭제곱입니다. 데이터그램은 기다리게 할 수 없으므로 함께 쓸 수 없습니다. 기본값은 한도 없음입니다."}},
    {Flag::min_progress, "min-progress", '\0', in_serve, Value::text, "SIZE/TIME",
     {"end who moves less than SIZE bytes in TIME: 1k/30s", "TIME 동안 SIZE바이트도 오가지 않으면 끝냅니다: 1k/30s"},
     {"Both directions count together, one TIME after the other. --idle ends who says nothing; this also ends who keeps a "
      "session by a byte now and then. So it is for clients that always have something to say: a person at a keyboard "
      "would be too slow. Default: no such limit.",
      "양방향을 합해 TIME마다 셉니다. --idle은 아무것도 보내지 않는 상대를 끝내고, 이 옵션은 가끔 한 바이트씩 보내며 세션을 붙잡는 상대도 끝냅니다. 늘 오가는 것이 있는 클라이언트를 위한 것이며, 손으로 입력하는 사람에게는 맞지 않습니다. 기본값은 한도 없음입니다."}},
    {Flag::allow, "allow", '\0', in_serve, Value::text, "LIST",
     {"serve only these networks", "이 네트워크에서 온 연결만 받습니다"},
     {"Networks and files with commas between them: 192.0.2.0/24,2001:db8::/32,./friends. A file has one network a "
      "line, and # begins a remark; SIGHUP has it read again without harm to anybody who is served. Everybody else is "
      "closed at once, or not answered. Unix-domain clients are always served.",
      "네트워크와 파일을 쉼표로 나누어 적습니다: 192.0.2.0/24,2001:db8::/32,./friends. 파일에는 한 줄에 하나씩 적고 # 뒤는 설명입니다. SIGHUP을 보내면 지금 세션은 그대로 두고 파일만 다시 "
      "읽습니다. 다른 연결은 바로 닫고, 데이터그램에는 답하지 않습니다. 유닉스 도메인 클라이언트는 언제나 받습니다."}},
    {Flag::deny, "deny", '\0', in_serve, Value::text, "LIST",
     {"never serve these networks", "이 네트워크에서 온 연결은 받지 않습니다"},
     {"Written as for --allow, and stronger than it.",
      "--allow와 같이 적으며, 둘 다 해당하면 받지 않습니다."}},
    {Flag::ready_fd, "ready-fd", '\0', in_serve, Value::count, "N",
     {"write the addresses to descriptor N when listening", "기다리기 시작하면 디스크립터 N에 주소를 씁니다"},
     {"One address a line; then it is closed. So whoever started the server knows the port that the system chose, and "
      "that nobody will be refused.",
      "한 줄에 주소 하나씩 쓰고 닫습니다. 서버를 띄운 쪽은 시스템이 고른 포트를 알 수 있고, 이때부터는 연결이 거부되지 않습니다."}},
    {Flag::drain, "drain", '\0', in_serve, Value::duration, "TIME",
     {"on SIGTERM or Ctrl-C, wait at most TIME (default 30s)", "SIGTERM이나 Ctrl-C를 받으면 최대 TIME 기다립니다 (기본 30s)"},
     {"Nobody new is accepted, who is in the queue is served, idle sessions are ended, busy ones finish. Busy is also who "
      "waits for an answer of the target of forward, or of what is behind stdio, until nothing of it has come for a second; a program of exec is told that its input "
      "has ended, and may say what it still has to say. What is left after TIME is cut off, and the exit status is 3. A "
      "second signal ends at once.",
      "새 연결은 받지 않고, 대기열에 있던 연결은 처리하며, 쉬는 세션은 끝내고, 바쁜 세션은 마치게 합니다. forward의 대상이나 stdio 뒤의 프로그램에게서 답을 기다리는 세션도, 그 답이 1초 동안 더 오지 않을 때까지는 바쁜 세션입니다. exec의 프로그램에는 입력이 끝났음을 알리고 남은 답을 마저 하게 합니다. TIME이 지나도 남은 세션은 끊고 종료 상태 3으로 끝납니다. 신호를 한 번 더 보내면 "
      "바로 끝납니다."}},
    {Flag::backlog, "backlog", '\0', in_serve, Value::count, "N",
     {"connections that may wait to be accepted", "받아들여지기를 기다릴 수 있는 연결의 수"},
     {"The length of the system's queue, as in listen(2). Default: as long as the system allows (net.core.somaxconn).",
      "listen(2)에 주는 시스템 대기열의 길이입니다. 기본값은 시스템이 허락하는 최대(net.core.somaxconn)입니다."}},
    {Flag::log, "log", '\0', in_serve, Value::choice, "text|json",
     {"how to print sessions: for people or for programs", "세션 기록의 형식: 사람용(text) 또는 프로그램용(json)"},
     {"json is one object a line, always in English: event, session, peer, received, sent, seconds, how. Both go to "
      "standard error.",
      "json은 한 줄에 객체 하나이며 언제나 영어입니다: event, session, peer, received, sent, seconds, how. 둘 다 표준 오류로 나갑니다."}},
    {Flag::workers, "workers", '\0', in_serve, Value::count, "N",
     {"serve on N threads (echo, greet, discard, chargen, daytime, time)",
      "스레드 N개로 처리합니다 (echo, greet, discard, chargen, daytime, time)"},
     {"One thread accepts and deals each connection to the thread that has the fewest, itself included. Limits, counts "
      "and draining are those of the whole server. Default: 1, which is the right number unless one processor is busy "
      "all the time.",
      "스레드 하나가 연결을 받아, 자신을 포함해 세션이 가장 적은 스레드에 나누어 줍니다. 한도와 집계, 종료 절차는 서버 전체에 하나로 적용됩니다. 기본값은 1이며, 프로세서 하나가 늘 꽉 차 있지 않다면 "
      "1이 알맞습니다."},
     bit(Flag::once) | bit(Flag::explain) | bit(Flag::events)},
    {Flag::reuse_port, "reuse-port", '\0', in_serve, Value::none, "",
     {"share the port with other servers that say so, too", "같은 옵션을 쓴 다른 서버와 포트를 함께 씁니다"},
     {"SO_REUSEPORT, socket(7): the system deals connections by a hash of their addresses, evenly only when there are "
      "many, and those that wait in the queue of a server that ends are lost. All servers have to be of one user.",
      "SO_REUSEPORT(socket(7))를 켭니다. 시스템이 주소의 해시로 연결을 나누므로 연결이 많을 때만 고르게 나뉘며, 한 서버가 끝나면 그 대기열에 있던 연결은 끊깁니다. 모든 서버가 같은 사용자의 것이어야 합니다."}},
    {Flag::accept_delay, "accept-delay", '\0', in_serve, Value::duration, "TIME",
     {"wait TIME before each accept, to watch the queue fill", "받아들이기 전에 매번 TIME을 기다립니다 (대기열 관찰용)"},
     {"For learning: clients are connected as soon as they are in the system's queue, whether or not anybody has "
      "accepted them. With --explain the queue can be seen; with --backlog 2 it is soon full.",
      "배울 때 쓰는 옵션입니다. 클라이언트는 받아들여지기 전에도 시스템의 대기열에 들어간 순간 연결됩니다. --explain을 함께 쓰면 대기열이 보이고, --backlog 2를 더하면 금방 찹니다."}},
    {Flag::record, "record", '\0', in_serve, Value::text, "DIR",
     {"write what each session receives and sends to files in DIR", "세션마다 받은 것과 보낸 것을 DIR 안의 파일에 남깁니다"},
     {"Two files for each session, with the bytes as they are: TIME-NUMBER-PEER.received and TIME-NUMBER-PEER.sent, where "
      "TIME is the beginning of the session in UTC and NUMBER is that of its lines. `meari connect ADDRESS <FILE` "
      "sends one again. DIR is made when it is not there; files are never written over and are for their owner alone (0600). "
      "The peer waits while the disk is slow. When a file cannot be written, one line says so, the session goes on without, and the exit "
      "status is 3 in the end.",
      "세션마다 파일 두 개에 바이트를 그대로 씁니다: 시각-번호-상대.received, 시각-번호-상대.sent. 시각은 세션이 시작한 때(UTC)이고 번호는 세션 기록에 나오는 번호입니다. "
      "`meari connect 주소 <파일`로 다시 보낼 수 있습니다. DIR이 없으면 만들고, 이미 있는 파일은 덮어쓰지 않으며, 파일은 소유자만 읽을 수 있습니다(0600). 디스크가 느리면 상대가 기다립니다. 파일에 쓰지 못하면 한 줄로 알리고 세션은 기록 없이 이어지며, 마지막에 종료 상태 3으로 끝납니다."}},
    {Flag::message, "message", 'm', in_connect, Value::text, "TEXT",
     {"send TEXT, print the reply, exit", "TEXT를 보내고 답을 출력한 뒤 끝냅니다"},
     {"TEXT is sent as it is, without a line end; standard input is not read. --on-eof says what follows. With udp: it is "
      "one datagram, at most 65507 bytes, and an empty TEXT is one, too.",
      "TEXT를 줄바꿈 없이 그대로 보내며 표준 입력은 읽지 않습니다. 그다음은 --on-eof에 따릅니다. udp:에서는 데이터그램 하나이며 65507바이트까지 됩니다. 빈 TEXT도 빈 데이터그램으로 보냅니다."},
     bit(Flag::check)},
    {Flag::expect_echo, "expect-echo", '\0', in_connect, Value::none, "",
     {"check that what was sent comes back (else status 4)", "보낸 것이 그대로 돌아오는지 확인합니다 (다르면 상태 4)"},
     {"Ends at the first difference and names its offset; also when less comes back, or more. With udp: each datagram has "
      "to come back once, in any order.",
      "처음 다른 곳에서 끝내고 그 위치를 알립니다. 모자라거나 남을 때도 마찬가지입니다. udp:에서는 순서가 바뀌어도 되지만 데이터그램마다 한 번씩 돌아와야 합니다."},
     bit(Flag::check)},
    {Flag::check, "check", '\0', in_connect, Value::none, "",
     {"only connect, and say how long it took", "연결만 해 보고 걸린 시간을 알립니다"},
     {"Exit status 0 when somebody accepts the connection, else 1. Datagrams have no connection, so not with udp:.",
      "연결되면 종료 상태 0, 아니면 1입니다. 데이터그램에는 연결이 없으므로 udp:와는 함께 쓸 수 없습니다."},
     bit(Flag::message) | bit(Flag::expect_echo) | bit(Flag::on_eof) | bit(Flag::crlf) | bit(Flag::hexdump) | bit(Flag::raw)},
    {Flag::timeout, "timeout", '\0', in_connect | in_bench, Value::duration, "TIME",
     {"how long connecting may take (default 10s)", "연결에 걸려도 되는 시간 (기본 10s)"},
     {"For all of it: looking up the name and trying every address. With --retry: for each attempt. 0: as long as it takes. "
      "With udp: only the name takes time. "
      "bench over datagrams: how long a reply may take before it counts as lost (default 1s).",
      "이름을 찾고 모든 주소를 시도하는 시간을 합한 것입니다. --retry가 있으면 시도마다 따로 잽니다. 0이면 끝없이 기다립니다. udp:에서는 이름을 찾는 시간뿐입니다. 데이터그램을 재는 bench에서는 답을 잃은 것으로 치기까지의 시간입니다(기본 1s)."}},
    {Flag::source, "source", '\0', in_connect, Value::address, "ADDRESS",
     {"connect from this address of ours", "이 주소에서 연결합니다"},
     {"A numeric address, with or without a port: 192.0.2.1, 192.0.2.1:4000, 2001:db8::1, [2001:db8::1]:4000.",
      "숫자 주소이며 포트는 있어도 없어도 됩니다: 192.0.2.1, 192.0.2.1:4000, 2001:db8::1, [2001:db8::1]:4000."}},
    {Flag::retry, "retry", '\0', in_connect, Value::count, "N",
     {"try again, at most N times, when connecting fails", "연결하지 못하면 최대 N번 다시 시도합니다"},
     {"When the connection was refused, nothing answered in time, no way led there, the path did not exist yet, or the "
      "name server did not answer; not when there is no such name. The pauses grow from 100ms to 5s, with chance in them "
      "so that many clients do not come at once. Each failure is one line. Not with udp:, where nothing is connected.",
      "연결이 거부되었거나, 제때 답이 없거나, 가는 길이 없거나, 경로가 아직 없거나, 이름 서버가 답하지 않을 때입니다. 없는 이름이면 다시 시도하지 않습니다. 쉬는 시간은 100ms에서 5s까지 늘어나며, "
      "여러 클라이언트가 한꺼번에 몰리지 않도록 조금씩 다르게 합니다. 실패할 때마다 한 줄을 출력합니다. 연결이 없는 udp:와는 함께 쓸 수 없습니다."}},
    {Flag::repeat, "repeat", '\0', in_connect, Value::count, "N",
     {"do it N times, and say how long each took", "N번 되풀이하고 매번 걸린 시간을 알립니다"},
     {"Each time with a new connection, with --check or --message. At the end: how many went well, and the smallest, the "
      "median and the largest time. The exit status is that of the first that failed. With udp: the first reply ends a turn, "
      "and one without a reply has failed (status 1).",
      "--check 또는 --message를 매번 새 연결로 되풀이합니다. 끝에는 몇 번 성공했는지와 최소, 중앙값, 최대 시간을 알립니다. 종료 상태는 처음 실패한 것의 상태입니다. udp:에서는 첫 답이 오면 다음 차례로 넘어가고, 답이 없으면 실패입니다(상태 1)."},
     0, bit(Flag::message) | bit(Flag::check)},
    {Flag::interval, "interval", '\0', in_connect, Value::duration, "TIME",
     {"from one repetition to the next (default 1s)", "되풀이하는 간격 (기본 1s)"},
     {"From start to start. One that takes longer delays the next one. 0: at once.",
      "시작에서 시작까지의 시간입니다. 그보다 오래 걸리면 다음 시작도 늦어집니다. 0이면 바로 이어집니다."},
     0, bit(Flag::repeat)},
    {Flag::crlf, "crlf", '\0', in_connect, Value::none, "",
     {"send line ends as CRLF", "줄 끝을 CRLF로 바꾸어 보냅니다"},
     {"A new line (LF) in what is sent becomes CRLF, as HTTP, SMTP and others want it; CRLF stays. Without it bytes are never "
      "changed, and what comes is not changed in any case.",
      "보내는 것의 줄바꿈(LF)을 HTTP, SMTP 등이 바라는 CRLF로 바꿉니다. 이미 CRLF이면 그대로 둡니다. 이 옵션이 없으면 바이트를 바꾸지 않으며, 받은 것은 언제나 그대로입니다."}},
    {Flag::connections, "connections", 'c', in_bench, Value::count, "N",
     {"how many connections (default 64)", "연결의 수 (기본 64)"},
     {"All are opened before anything is measured.", "재기 전에 모두 열어 둡니다."}},
    {Flag::size, "size", '\0', in_bench, Value::text, "SIZE",
     {"bytes of a message (default 64): 64, 4k, 64..4096", "메시지의 크기 (기본 64): 64, 4k, 64..4096"},
     {"A range draws the size of each message anew, always in the same way.",
      "범위를 적으면 메시지마다 크기를 새로 뽑습니다. 뽑는 순서는 언제나 같습니다."}},
    {Flag::depth, "depth", '\0', in_bench, Value::count, "N",
     {"messages under way on a connection (default 1)", "연결마다 한 번에 보내 둘 메시지의 수 (기본 1)"},
     {"The next one goes as soon as a reply is complete.", "답이 하나 오면 다음 것을 보냅니다."}},
    {Flag::duration, "duration", 'd', in_bench, Value::duration, "TIME",
     {"how long to measure (default 10s)", "재는 시간 (기본 10s)"},
     {"After the warm-up. Ctrl-C ends it earlier and reports what there is.",
      "워밍업 다음부터입니다. Ctrl-C로 일찍 끝내면 그때까지의 결과를 알립니다."}},
    {Flag::warmup, "warmup", '\0', in_bench, Value::duration, "TIME",
     {"run so long before measuring (default 1s)", "재기 전에 미리 돌리는 시간 (기본 1s)"},
     {"Caches, buffers and the windows of TCP settle meanwhile.", "그동안 캐시와 버퍼, TCP 창이 자리를 잡습니다."}},
    {Flag::rate, "rate", 'r', in_bench, Value::text, "N",
     {"N messages a second in all, whatever the server does", "서버가 어떻게 하든 모두 합해 초당 N개를 보냅니다"},
     {"An open loop: message n is due at n / N seconds, and its response time counts from then, also when it had to be "
      "sent late. The service time counts from when it was sent. Without a rate it is a closed loop: the next message "
      "waits for a reply, so a server that stands still is asked less while it does.",
      "열린 루프입니다. n번째 메시지는 n / N초에 보내기로 되어 있고, 늦게 보냈더라도 응답 시간은 그때부터 셉니다. 처리 시간은 실제로 보낸 때부터 셉니다. 속도를 적지 않으면 닫힌 "
      "루프입니다. 답이 와야 다음 메시지를 보내므로, 서버가 멈춰 있는 동안에는 그만큼 덜 묻게 됩니다."},
     bit(Flag::churn) | bit(Flag::hold) | bit(Flag::depth)},
    {Flag::threads, "threads", '\0', in_bench, Value::count, "N",
     {"threads that make the load (default 1)", "부하를 만드는 스레드의 수 (기본 1)"},
     {"Each has a loop of its own and a share of the connections.", "스레드마다 루프가 하나씩 있고 연결을 나누어 맡습니다."}},
    {Flag::churn, "churn", '\0', in_bench, Value::none, "",
     {"a new connection for every message", "메시지마다 새로 연결합니다"},
     {"Connects, sends one message, reads the reply, finishes and waits for the end of the peer. Counts connections.",
      "연결해서 메시지 하나를 보내고 답을 읽은 뒤, 보내기를 마치고 상대가 마칠 때까지 기다립니다. 연결의 수를 셉니다."},
     bit(Flag::hold) | bit(Flag::depth)},
    {Flag::hold, "hold", '\0', in_bench, Value::count, "N",
     {"open N connections and hold them, silent", "연결 N개를 열고 아무 말 없이 붙들고 있습니다"},
     {"For --duration. At the end each sends one message, to show that it is still there. With --server-pid: the "
      "memory of the server for each.",
      "--duration 동안입니다. 끝에는 연결마다 메시지 하나를 보내 살아 있는지 확인합니다. --server-pid를 함께 쓰면 연결 하나에 드는 서버 메모리를 알립니다."},
     bit(Flag::connections) | bit(Flag::depth)},
    {Flag::send, "send", '\0', in_bench, Value::text, "TEXT",
     {"send TEXT instead of bytes without meaning", "의미 없는 바이트 대신 TEXT를 보냅니다"},
     {"With \\n, \\r, \\t, \\0, \\\\ and \\xNN. The reply is the same text, unless --expect says another one.",
      "\\n, \\r, \\t, \\0, \\\\, \\xNN을 쓸 수 있습니다. --expect가 없으면 같은 글이 돌아와야 합니다."},
     bit(Flag::size)},
    {Flag::expect, "expect", '\0', in_bench, Value::text, "TEXT",
     {"the reply to --send, when it is no echo", "메아리가 아닐 때 --send에 대한 답"},
     {"Every byte is compared: bench --send 'PING\\r\\n' --expect '+PONG\\r\\n' 6379.",
      "모든 바이트를 비교합니다: bench --send 'PING\\r\\n' --expect '+PONG\\r\\n' 6379."},
     bit(Flag::size)},
    {Flag::server_pid, "server-pid", '\0', in_bench, Value::count, "PID",
     {"also report the CPU time of this process", "이 프로세스의 CPU 시간도 알립니다"},
     {"Round trips for each second of the server's CPU time say what a server costs, however busy the machine is.",
      "서버 CPU 시간 1초에 몇 번 왕복하는지는, 컴퓨터가 얼마나 바쁘든 서버의 비용을 말해 줍니다."}},
    {Flag::save, "save", '\0', in_bench, Value::text, "FILE",
     {"write the result to FILE as JSON", "결과를 JSON으로 FILE에 씁니다"},
     {"With the settings, the machine, the whole histogram and a histogram for each slice of time: all that --compare and "
      "--plot need later. docs/measuring.md describes the form.",
      "설정, 컴퓨터, 히스토그램 전체, 시간 조각마다의 히스토그램이 들어 있어 나중에 --compare와 --plot에 쓸 수 있습니다. 형식은 docs/measuring.ko.md에 있습니다."}},
    {Flag::percentiles, "percentiles", '\0', in_bench, Value::text, "FILE",
     {"write the percentiles to FILE as HdrHistogram does", "백분위수를 HdrHistogram 형식으로 FILE에 씁니다"},
     {"Text, in milliseconds, of the response times; the plotters of HdrHistogram read it.",
      "응답 시간을 밀리초로 적은 글이며, HdrHistogram의 그래프 도구들이 읽을 수 있습니다."}},
    {Flag::plot, "plot", '\0', in_bench, Value::text, "FILE.svg",
     {"draw the latencies and the rate into FILE", "지연과 속도를 FILE에 그립니다"},
     {"One SVG without scripts: percentiles over a logarithmic axis, and the rate over time, in the language of the "
      "messages. With --compare the other result is in it, too.",
      "스크립트가 없는 SVG 파일 하나입니다. 로그 축의 백분위수와 시간에 따른 속도를 메시지와 같은 언어로 그립니다. --compare가 있으면 그 결과도 함께 그립니다."}},
    {Flag::compare, "compare", '\0', in_bench, Value::text, "FILE",
     {"compare with the result that --save wrote to FILE", "--save로 FILE에 쓴 결과와 비교합니다"},
     {"Each figure with the ratio to what it was and the interval that holds the ratio 95 times of 100, as far as the noise "
      "within the two runs tells. Settings or machines that differ are named.",
      "수치마다 이전 값에 대한 비율과, 두 측정 안의 잡음으로 본 95% 구간을 알립니다. 설정이나 컴퓨터가 다르면 무엇이 다른지 알립니다."}},
    {Flag::fail_on, "fail-on", '\0', in_bench, Value::text, "GATES",
     {"end with status 4 when it became worse: p99+5%,rate-3%", "나빠졌으면 종료 상태 4: p99+5%,rate-3%"},
     {"A figure and how much worse it may become, in percent or as it is: p99+200us, max+10ms, rate-3%, errors+0; several "
      "with commas. Figures: rate, p50, p90, p99, p99.9, max, errors. A difference that may be noise fails no gate.",
      "수치와 나빠져도 되는 정도를 퍼센트나 값으로 적습니다: p99+200us, max+10ms, rate-3%, errors+0. 여러 개는 쉼표로 나눕니다. 수치: rate, p50, p90, p99, p99.9, max, errors. "
      "잡음일 수 있는 차이로는 실패하지 않습니다."},
     0, bit(Flag::compare)},
    {Flag::json, "json", '\0', in_bench, Value::none, "",
     {"print the result as JSON", "결과를 JSON으로 출력합니다"},
     {"One object on one line, on standard output; always in English.", "표준 출력에 한 줄짜리 객체 하나로, 언제나 영어로 출력합니다."}},
    {Flag::on_eof, "on-eof", '\0', in_serve | in_connect, Value::policy, "WHAT",
     {"at the end of input: half-close, close, keep, wait:5s", "입력이 끝나면: half-close, close, keep, wait:5s"},
     {"half-close (default) says that we have finished (FIN) and waits for the peer to finish. close ends the "
      "conversation at once. keep says nothing and waits for the peer. wait:TIME is keep for at most TIME. An absent "
      "input (</dev/null, <&-, nohup) has no end, unless --on-eof is given. With udp: nobody can say that he has finished: "
      "half-close waits until no reply has come for a second, keep waits for ever. In serve it is for the handler stdio.",
      "half-close(기본)는 보내기를 마쳤다고 알리고(FIN) 상대가 마칠 때까지 기다립니다. close는 대화를 바로 끝냅니다. keep은 알리지 않고 상대를 기다립니다. wait:시간은 그 "
      "시간까지만 keep과 같습니다. 입력이 아예 없으면(</dev/null, <&-, nohup) --on-eof를 적지 않는 한 입력의 끝으로 보지 않습니다. udp:에서는 마쳤다고 알릴 방법이 없으므로, half-close는 1초 동안 답이 없을 때까지 기다리고 keep은 끝없이 기다립니다. serve에서는 처리기 stdio에 씁니다."}},
    {Flag::raw, "raw", '\0', in_serve | in_connect, Value::none, "",
     {"print what comes as it is, on a terminal too", "받은 것을 터미널에도 그대로 출력합니다"},
     {"Without it, what comes is escaped on a terminal (\\x1b), because it could control the terminal. In a pipe "
      "bytes are never changed. In serve it is for the handler stdio.",
      "이 옵션이 없으면 터미널에는 제어 문자를 풀어서(\\x1b) 출력합니다. 받은 내용이 터미널을 조종할 수 있기 때문입니다. 파이프에서는 언제나 바이트를 그대로 둡니다. serve에서는 처리기 stdio에 씁니다."}},
    {Flag::hexdump, "hexdump", '\0', in_serve | in_connect, Value::none, "",
     {"show every byte in both directions, in hexadecimal", "주고받는 모든 바이트를 16진수로 보여 줍니다"},
     {"→ is what goes out and ← what comes in, each with its time since connecting, its offset and its text. With connect, and with "
      "serve stdio, it takes the place of what is received on a terminal; otherwise it goes to standard error, and standard output stays "
      "as it is. With serve each line begins with the number of its session, or with the address that a datagram came from; "
      "the peer waits while nobody reads the lines, and --log json cannot be used with it.",
      "→는 보낸 것, ←는 받은 것이며, 연결한 뒤의 시간, 위치, 글자를 함께 보여 줍니다. connect와 serve stdio에서 출력이 터미널이면 받은 내용 대신 나오고, 그 밖에는 표준 오류로 나가며 표준 출력은 그대로입니다. serve에서는 줄마다 세션의 번호나 데이터그램을 보낸 주소가 앞에 붙으며, 읽는 쪽이 느리면 상대가 기다립니다. --log json과는 함께 쓸 수 없습니다."},
     bit(Flag::raw)},
    {Flag::idle, "idle", '\0', in_serve | in_connect, Value::duration, "TIME",
     {"give up after TIME without a byte (0: never)", "TIME 동안 오가는 것이 없으면 그만둡니다 (0: 계속 기다림)"},
     {"Counts while something is waited for and no byte comes or goes. Default: 5m for serve (1h with chat and "
      "broadcast), never for connect.",
      "받기를 기다리는 동안 아무 바이트도 오가지 않은 시간을 잽니다. 기본값은 serve에서는 5m(chat과 broadcast는 1h), connect에서는 0입니다."}},
    {Flag::explain, "explain", '\0', in_serve | in_connect, Value::none, "",
     {"show each step of the sockets as it happens", "소켓에서 일어나는 일을 한 단계씩 보여 줍니다"},
     {"The flow chart of every sockets tutorial, live: which call was made, on which descriptor, what the kernel "
      "says (the state of TCP), what waits and why. In colour on a terminal, unless NO_COLOR is set.",
      "소켓 흐름도를 실시간으로 보여 줍니다. 어떤 호출을 어느 디스크립터에 했는지, 커널이 무엇이라고 하는지(TCP 상태), 무엇이 왜 기다리는지 나옵니다. 터미널에서는 색을 쓰며, NO_COLOR가 "
      "설정되어 있으면 쓰지 않습니다."},
     bit(Flag::quiet)},
    {Flag::events, "events", '\0', in_serve | in_connect, Value::choice, "json",
     {"the same steps as JSON, one object a line", "같은 단계를 한 줄에 하나씩 JSON으로 출력합니다"},
     {"To standard error, always in English: event, socket, fd, local, peer, bytes, payload, tcp, queue … For serve "
      "this implies --log json, so that every line is JSON.",
      "표준 오류로 나가며 언제나 영어입니다: event, socket, fd, local, peer, bytes, payload, tcp, queue 등. serve에서는 모든 줄이 JSON이 되도록 --log json도 함께 켜집니다."},
     bit(Flag::quiet) | bit(Flag::explain)},
    {Flag::backend, "backend", '\0', in_serve | in_connect | in_bench, Value::choice, "auto|uring|uring-floor|epoll|iocp",
     {"what moves the bytes (default auto)", "바이트를 옮기는 방식 (기본 auto)"},
     {"auto takes the fastest that works here and says why not a faster one. A backend that is named is taken, or "
      "the command fails: io_uring and epoll are of Linux, completion ports (iocp) of Windows. The variable MEARI_BACKEND "
      "does the same.",
      "auto는 여기서 되는 가장 빠른 것을 고르고, 더 빠른 것을 못 쓰면 까닭을 알립니다. 이름을 적으면 그것만 쓰고, 안 되면 실패합니다. io_uring과 epoll은 Linux의 것이고, 완료 포트(iocp)는 Windows의 것입니다. 환경 변수 MEARI_BACKEND도 같은 일을 합니다."}},
    {Flag::quiet, "quiet", 'q', in_serve | in_connect | in_bench, Value::none, "",
     {"say only what went wrong", "잘못된 것만 알립니다"},
     {"The first line of serve, which says where it listens, stays.",
      "serve가 어디서 기다리는지 알리는 첫 줄은 남습니다."}},
    {Flag::lang, "lang", '\0', everywhere, Value::choice, "ko|en",
     {"the language of all messages", "메시지의 언어"},
     {"Default: the first of LC_ALL, LC_MESSAGES and LANG that is set; on Windows without them, the language of Windows. "
      "What programs read is never translated.",
      "기본값은 LC_ALL, LC_MESSAGES, LANG 가운데 먼저 설정된 것이며, Windows에서 아무것도 설정되어 있지 않으면 Windows의 언어입니다. 프로그램이 읽는 출력은 번역하지 않습니다."}},
    {Flag::help, "help", 'h', everywhere, Value::none, "",
     {"print this and exit", "이 도움말을 출력합니다"},
     {"`meari help VERB` says more.",
      "`meari help 명령`은 더 자세히 알려 줍니다."}},
    {Flag::version, "version", 'V', everywhere, Value::none, "",
     {"print version, compiler and backend", "버전, 컴파일러, 백엔드를 출력합니다"},
     {"Also why faster backends were refused.",
      "더 빠른 백엔드를 쓰지 못한 까닭도 알립니다."}},
};

constexpr HandlerInfo handler_table[] = {
    {Handler::echo, "echo", "", true, {"send back what comes (default)", "받은 것을 그대로 돌려보냅니다 (기본)"}},
    {Handler::greet,
     "greet",
     "TEXT",
     false,
     {"send TEXT to whoever connects, then close", "연결한 상대에게 TEXT를 보내고 닫습니다"},
     "meari serve greet \"Hello World!\" 1234"},
    {Handler::discard, "discard", "", true, {"read everything, answer nothing", "모두 읽고 아무 답도 하지 않습니다"}},
    {Handler::chargen, "chargen", "", true,
     {"send printable lines without end (RFC 864)", "끝없이 글자를 보냅니다 (RFC 864)"}},
    {Handler::daytime, "daytime", "", true, {"send date and time (RFC 867)", "날짜와 시각을 글로 보냅니다 (RFC 867)"}},
    {Handler::time, "time", "", true,
     {"send the seconds since 1900, 4 bytes (RFC 868)", "1900년부터 센 초를 4바이트로 보냅니다 (RFC 868)"}},
    {Handler::stdio, "stdio", "", false,
     {"standard input to the client, its answers to standard output; one client at a time",
      "표준 입력을 클라이언트에게 보내고 답을 표준 출력에 씁니다. 한 번에 하나씩 처리합니다"}},
    {Handler::forward, "forward", "TARGET", false,
     {"connect each client with TARGET", "클라이언트를 저마다 TARGET에 이어 줍니다"},
     "meari serve forward example.org:80 8080"},
    {Handler::exec, "exec", "-- PROGRAM ARGS…", false,
     {"run PROGRAM for each client; addresses stand before the --",
      "클라이언트마다 PROGRAM을 실행합니다. 주소는 -- 앞에 적습니다"},
     "meari serve exec 9000 -- /bin/cat -n"},
    {Handler::chat, "chat", "", false,
     {"a room where all hear what each one says", "한 사람의 말을 모두가 듣는 대화방입니다"}},
    {Handler::broadcast, "broadcast", "", false,
     {"standard input to all clients at once", "표준 입력을 모든 클라이언트에게 보냅니다"}},
};

constexpr Example serve_examples[] = {
    {"meari serve", {"echo on port 9000 of this machine alone", "이 컴퓨터 안에서만, 포트 9000에서 에코"}},
    {"meari serve greet \"Hello World!\" 1234", {"say hello to whoever connects", "연결한 상대에게 인사합니다"}},
    {"meari serve :9000 udp:9000 unix:/tmp/echo.sock",
     {"echo for everybody, over datagrams and over a path", "모두에게, 데이터그램과 유닉스 소켓 경로에서도 에코"}},
    {"meari serve forward example.org:80 8080",
     {"who connects here speaks with example.org", "여기에 연결하면 example.org와 이야기하게 됩니다"}},
    {"meari serve exec 9000 -- /bin/cat -n",
     {"a program for each client, without a shell", "클라이언트마다 프로그램 하나를 셸 없이 실행합니다"}},
    {"meari serve --once stdio 9000 <photo.jpg",
     {"give a file to whoever comes first", "먼저 오는 상대에게 파일을 건넵니다"}},
    {"meari serve --hexdump --record recordings",
     {"see every byte, and keep it in files", "모든 바이트를 보고 파일에도 남깁니다"}},
    {"meari serve --once --log json 0",
     {"one session on a free port, for a script", "스크립트용: 빈 포트에서 세션 하나"}},
};
constexpr Example connect_examples[] = {
    {"meari connect localhost:9000", {"a conversation, line by line", "한 줄씩 주고받습니다"}},
    {"meari connect -m hello 9000", {"send hello, print the reply", "hello를 보내고 답을 출력합니다"}},
    {"meari connect 9000 <photo.jpg >copy.jpg",
     {"send a file, keep what comes back", "파일을 보내고 돌아온 것을 저장합니다"}},
    {"meari connect --expect-echo 9000 <photo.jpg >/dev/null", {"is it really an echo?", "정말 에코인지 확인합니다"}},
    {"meari connect --check example.org:443", {"does anybody listen there?", "누가 기다리고 있는지 확인합니다"}},
    {"meari connect --check --repeat 10 localhost:9000",
     {"how long does connecting take?", "연결에 얼마나 걸리는지 열 번 재어 봅니다"}},
    {"meari connect --retry 20 -m hello 9000",
     {"wait for a server that is just starting", "이제 막 시작하는 서버를 기다립니다"}},
    {"meari connect -m hello udp:localhost:9000",
     {"a datagram, and what comes back", "데이터그램 하나를 보내고 돌아온 것을 출력합니다"}},
    {"meari connect --crlf --hexdump example.org:80",
     {"type HTTP by hand, and see its bytes", "HTTP를 직접 입력하며 바이트를 봅니다"}},
};
constexpr Example bench_examples[] = {
    {"meari bench 9000", {"64 connections for ten seconds", "연결 64개로 10초"}},
    {"meari bench -c 1000 --size 4k --depth 16 9000", {"many, larger, 16 under way on each", "많은 연결, 큰 메시지, 한 번에 16개씩"}},
    {"meari bench --rate 5000 --duration 1m 9000", {"5,000 a second: how long do they take?", "초당 5,000개: 얼마나 걸립니까?"}},
    {"meari bench --send 'PING\\r\\n' --expect '+PONG\\r\\n' 6379", {"another protocol", "다른 프로토콜"}},
    {"meari bench --save before.json 9000", {"keep the result …", "결과를 남겨 두었다가 …"}},
    {"meari bench --compare before.json --fail-on p99+5% 9000", {"… and see later whether it became worse", "… 나중에 나빠졌는지 봅니다"}},
    {"meari bench --plot latency.svg 9000", {"a picture", "그림"}},
    {"meari bench udp:9000", {"datagrams, and how many are lost", "데이터그램과 잃은 개수"}},
    {"meari bench --churn 9000", {"connections a second", "초당 연결 수"}},
};
constexpr Example help_examples[] = {
    {"meari help serve", {"everything about serve", "serve의 모든 것"}},
};

constexpr VerbInfo verb_table[] = {
    {Verb::serve, "serve", "[HANDLER] [ADDRESS…]", {"be a server", "서버가 됩니다"},
     {"Serves everybody who connects, all at the same time, until Ctrl-C. The first line says where. Then there is "
      "one line for each session when it starts, and one when it ends, with the peer's address, the bytes in both "
      "directions, how long it took and how it ended. All of this goes to standard error. Without an address: port "
      "9000 of this machine alone (loopback).",
      "연결하는 모두를 Ctrl-C를 누를 때까지 동시에 처리합니다. 첫 줄은 어디서 기다리는지 알립니다. 그다음에는 세션마다 시작할 때 한 줄, 끝날 때 한 줄을 출력합니다. 상대 주소, 양방향 바이트 "
      "수, 걸린 시간, 어떻게 끝났는지가 나옵니다. 모두 표준 오류로 나갑니다. 주소를 적지 않으면 이 컴퓨터 안(루프백)의 포트 9000입니다."},
     serve_examples},
    {Verb::connect, "connect", "ADDRESS", {"be a client", "클라이언트가 됩니다"},
     {"On a terminal: sends each line that you type, prints what comes back and the bytes of both. Lines are edited with "
      "the keys of a shell, and the arrows bring earlier ones back; a line that begins with a space is not kept. Otherwise "
      "standard input goes to the peer and what the peer sends goes to standard output, unchanged and independently. "
      "What is cut short ends with status 3 and an account of the bytes. With udp: each line, or each piece that is read "
      "from standard input, is a datagram. A closed port, where the peer's system tells of it, ends it with status 1. Nobody "
      "acknowledges a datagram, so an account says in the end what went and what came.",
      "터미널에서는 입력한 줄을 하나씩 보내고, 돌아온 것과 바이트 수를 출력합니다. 셸처럼 줄을 고칠 수 있고 화살표로 지난 줄을 불러올 수 있으며, 빈칸으로 시작한 줄은 기록하지 않습니다. 터미널이 아니면 표준 입력은 상대에게, 상대가 보낸 것은 표준 출력으로, 서로 기다리지 않고 그대로 흐릅니다. 도중에 "
      "끊기면 바이트 수를 알리고 종료 상태 3으로 끝납니다. udp:에서는 입력한 줄, 또는 표준 입력에서 읽은 조각 하나가 데이터그램 하나입니다. 닫힌 포트라고 상대 시스템이 알려 오면 종료 상태 1로 끝납니다. 데이터그램에는 도착 확인이 없으므로 끝에 보낸 수와 받은 수를 알립니다."},
     connect_examples},
    {Verb::bench, "bench", "ADDRESS", {"measure a server", "서버의 성능을 잽니다"},
     {"Sends messages, compares every byte of the replies, and reports rate and latency, with how busy and how late this "
      "program was itself: VALID, or SUSPECT with the reason. Meant for servers that echo, such as meari serve; --send and "
      "--expect speak to others. A wrong reply ends its connection, and the exit status is 4.",
      "메시지를 보내고, 답의 모든 바이트를 비교하고, 속도와 지연을 알립니다. 이 프로그램 자신이 얼마나 바쁘고 늦었는지도 함께 알려서, 믿을 만하면 VALID, 아니면 까닭과 함께 SUSPECT라고 합니다. meari serve처럼 그대로 돌려보내는 서버를 위한 것이며, 다른 서버에는 --send와 --expect를 씁니다. 틀린 답이 오면 그 연결을 끝내고 종료 상태 4로 끝납니다."},
     bench_examples},
    {Verb::help, "help", "[VERB]", {"explain a verb", "명령을 설명합니다"},
     {"Explains a verb with all its flags and some examples.",
      "명령 하나를 모든 옵션, 예와 함께 설명합니다."},
     help_examples},
};

constexpr StatusInfo status_table[] = {
    {static_cast<int>(Status::ok), {"all went well", "모두 잘 되었습니다"}},
    {static_cast<int>(Status::network),
     {"the network or the system: nobody listens, address in use …",
      "네트워크나 시스템: 연결 거부, 사용 중인 주소 등"}},
    {static_cast<int>(Status::usage), {"the command line makes no sense", "명령줄이 잘못되었습니다"}},
    {static_cast<int>(Status::cut_short), {"data was cut short", "데이터가 도중에 끊겼습니다"}},
    {static_cast<int>(Status::check_failed), {"a check failed: --expect-echo, a wrong reply to bench", "확인에 실패했습니다: --expect-echo, bench가 받은 틀린 답"}},
    {static_cast<int>(Status::interrupted), {"interrupted", "사용자가 중단했습니다"}},
};

constexpr AddressInfo address_table[] = {
    {"9000", in_serve | in_connect | in_bench, {"this machine (loopback), IPv6 and IPv4", "이 컴퓨터 안(루프백), IPv6와 IPv4"}},
    {"0", in_serve, {"there, on a free port, which the first line names", "루프백의 빈 포트. 첫 줄이 알려 줍니다"}},
    {":9000", in_serve, {"all addresses of this machine", "이 컴퓨터의 모든 주소"}},
    {"localhost:9000", in_serve | in_connect | in_bench, {"a name", "이름"}},
    {"127.0.0.1:9000 [::1]:9000", in_serve | in_connect | in_bench, {"a numeric address", "숫자 주소"}},
    {"unix:/run/x.sock unix:@name",
     in_serve | in_connect | in_bench,
     {"a Unix-domain path, or an abstract name", "유닉스 도메인 경로, 또는 추상 이름"}},
    {"udp:9000", in_serve | in_connect | in_bench, {"datagrams instead of connections", "연결 대신 데이터그램"}},
    {"fd:3", in_serve | in_connect, {"a socket that the parent process opened", "부모 프로세스가 열어 둔 소켓"}},
};

constexpr VariableInfo variable_table[] = {
    {"LC_ALL, LC_MESSAGES, LANG", everywhere,
     {"the language of all messages, unless --lang is given", "--lang이 없을 때 메시지의 언어"}},
    {"MEARI_BACKEND", in_serve | in_connect, {"as --backend", "--backend와 같습니다"}},
    {"NO_COLOR", in_serve | in_connect, {"when it is set: no colours", "설정되어 있으면 색을 쓰지 않습니다"}},
    {"TERM", in_connect, {"dumb: the terminal edits its lines itself", "dumb이면 줄 편집을 터미널에 맡깁니다"}},
    {"XDG_STATE_HOME", in_connect,
     {"the lines that you typed are kept in meari/history there (default: ~/.local/state)",
      "입력한 줄을 이 아래의 meari/history에 기록합니다 (기본 ~/.local/state)"}},
};

// clang-format on

consteval bool in_order() {
  for (std::size_t i = 0; i < std::size(flag_table); ++i)
    if (static_cast<std::size_t>(flag_table[i].flag) != i) return false;
  for (std::size_t i = 0; i < std::size(handler_table); ++i)
    if (static_cast<std::size_t>(handler_table[i].handler) != i) return false;
  for (std::size_t i = 0; i < std::size(verb_table); ++i)
    if (static_cast<std::size_t>(verb_table[i].verb) != i) return false;
  return true;
}
static_assert(in_order(), "the tables stand in the order of their enums");
static_assert(std::size(flag_table) == static_cast<std::size_t>(Flag::version) + 1, "a flag has no line in the table");
static_assert(std::size(handler_table) == static_cast<std::size_t>(Handler::broadcast) + 1);
static_assert(std::size(verb_table) == static_cast<std::size_t>(Verb::help) + 1);

}  // namespace

std::span<const FlagInfo> flags() noexcept { return flag_table; }
std::span<const HandlerInfo> handlers() noexcept { return handler_table; }
std::span<const VerbInfo> verbs() noexcept { return verb_table; }
std::span<const StatusInfo> statuses() noexcept { return status_table; }
std::span<const AddressInfo> addresses() noexcept { return address_table; }
std::span<const VariableInfo> variables() noexcept { return variable_table; }
const FlagInfo& info(Flag flag) noexcept { return flag_table[static_cast<std::size_t>(flag)]; }
const HandlerInfo& info(Handler handler) noexcept { return handler_table[static_cast<std::size_t>(handler)]; }
const VerbInfo& info(Verb verb) noexcept { return verb_table[static_cast<std::size_t>(verb)]; }

const HandlerInfo* find_handler(std::string_view name) noexcept {
  for (const HandlerInfo& handler : handler_table)
    if (handler.name == name) return &handler;
  return nullptr;
}

const VerbInfo* find_verb(std::string_view name) noexcept {
  for (const VerbInfo& verb : verb_table)
    if (verb.name == name) return &verb;
  return nullptr;
}

}  // namespace meari::command
