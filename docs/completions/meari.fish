# fish completion for meari. Made by `meari generate`; tools/generate.sh makes it again.

function __meari_text
    if string match -q 'ko*' -- "$LC_ALL$LC_MESSAGES$LANG"
        echo $argv[2]
    else
        echo $argv[1]
    end
end
function __meari_first_operand
    set -l words (commandline -opc)
    not string match -qr -- '^[^-]' $words[3..-1]
end

complete -c meari -f
complete -c meari -n __fish_use_subcommand -a serve -d (__meari_text 'be a server' '서버가 됩니다')
complete -c meari -n __fish_use_subcommand -a connect -d (__meari_text 'be a client' '클라이언트가 됩니다')
complete -c meari -n __fish_use_subcommand -a bench -d (__meari_text 'measure a server' '서버를 잽니다')
complete -c meari -n __fish_use_subcommand -a help -d (__meari_text 'explain a verb' '명령을 설명합니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a echo -d (__meari_text 'send back what comes (default)' '받은 것을 그대로 돌려보냅니다 (기본)')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a greet -d (__meari_text 'send TEXT to whoever connects, then close' '연결한 상대에게 TEXT를 보내고 닫습니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a discard -d (__meari_text 'read everything, answer nothing' '모두 읽고 아무 답도 하지 않습니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a chargen -d (__meari_text 'send printable lines without end (RFC 864)' '끝없이 글자를 보냅니다 (RFC 864)')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a daytime -d (__meari_text 'send date and time (RFC 867)' '날짜와 시각을 글로 보냅니다 (RFC 867)')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a time -d (__meari_text 'send the seconds since 1900, 4 bytes (RFC 868)' '1900년부터 센 초를 4바이트로 보냅니다 (RFC 868)')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a stdio -d (__meari_text 'standard input to the client, its answers to standard output; one client at a time' '표준 입력을 클라이언트에게 보내고 답을 표준 출력에 씁니다. 한 번에 하나씩 처리합니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a forward -d (__meari_text 'connect each client with TARGET' '클라이언트를 저마다 TARGET에 이어 줍니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a exec -d (__meari_text 'run PROGRAM for each client; addresses stand before the --' '클라이언트마다 PROGRAM을 실행합니다. 주소는 -- 앞에 적습니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a chat -d (__meari_text 'a room where all hear what each one says' '한 사람의 말을 모두가 듣는 대화방입니다')
complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a broadcast -d (__meari_text 'standard input to all clients at once' '표준 입력을 모든 클라이언트에게 보냅니다')
complete -c meari -n '__fish_seen_subcommand_from help; and __meari_first_operand' -a 'serve connect bench help'
complete -c meari -n '__fish_seen_subcommand_from serve' -l once -d (__meari_text 'serve one session, then exit' '세션 하나만 처리하고 끝냅니다')
complete -c meari -n '__fish_seen_subcommand_from serve' -l max-sessions -x -d (__meari_text 'at most N sessions at a time' '동시에 처리할 세션 수의 한도')
complete -c meari -n '__fish_seen_subcommand_from serve' -l max-per-source -x -d (__meari_text 'at most N sessions at a time from one source' '한 곳에서 동시에 여는 세션 수의 한도')
complete -c meari -n '__fish_seen_subcommand_from serve' -l max-rate -x -d (__meari_text 'at most N new sessions a second' '1초에 새로 받을 세션 수의 한도')
complete -c meari -n '__fish_seen_subcommand_from serve' -l limit-rate -x -d (__meari_text 'at most SIZE bytes a second on each connection: 64k, 1M' '연결마다 1초에 오가는 바이트의 한도: 64k, 1M')
complete -c meari -n '__fish_seen_subcommand_from serve' -l min-progress -x -d (__meari_text 'end who moves less than SIZE bytes in TIME: 1k/30s' 'TIME 동안 SIZE바이트도 오가지 않으면 끝냅니다: 1k/30s')
complete -c meari -n '__fish_seen_subcommand_from serve' -l allow -x -d (__meari_text 'serve only these networks' '이 네트워크에서 온 연결만 받습니다')
complete -c meari -n '__fish_seen_subcommand_from serve' -l deny -x -d (__meari_text 'never serve these networks' '이 네트워크에서 온 연결은 받지 않습니다')
complete -c meari -n '__fish_seen_subcommand_from serve' -l ready-fd -x -d (__meari_text 'write the addresses to descriptor N when listening' '기다리기 시작하면 디스크립터 N에 주소를 씁니다')
complete -c meari -n '__fish_seen_subcommand_from serve' -l drain -x -d (__meari_text 'on SIGTERM or Ctrl-C, wait at most TIME (default 30s)' 'SIGTERM이나 Ctrl-C를 받으면 최대 TIME 기다립니다 (기본 30s)')
complete -c meari -n '__fish_seen_subcommand_from serve' -l backlog -x -d (__meari_text 'connections that may wait to be accepted' '받아들여지기를 기다릴 수 있는 연결의 수')
complete -c meari -n '__fish_seen_subcommand_from serve' -l log -x -a 'text json' -d (__meari_text 'how to print sessions: for people or for programs' '세션 기록의 형식: 사람용(text) 또는 프로그램용(json)')
complete -c meari -n '__fish_seen_subcommand_from serve' -l accept-delay -x -d (__meari_text 'wait TIME before each accept, to watch the queue fill' '받아들이기 전에 매번 TIME을 기다립니다 (대기열 관찰용)')
complete -c meari -n '__fish_seen_subcommand_from connect' -s m -l message -x -d (__meari_text 'send TEXT, print the reply, exit' 'TEXT를 보내고 답을 출력한 뒤 끝냅니다')
complete -c meari -n '__fish_seen_subcommand_from connect' -l expect-echo -d (__meari_text 'check that what was sent comes back (else status 4)' '보낸 것이 그대로 돌아오는지 확인합니다 (다르면 상태 4)')
complete -c meari -n '__fish_seen_subcommand_from connect' -l check -d (__meari_text 'only connect, and say how long it took' '연결만 해 보고 걸린 시간을 알립니다')
complete -c meari -n '__fish_seen_subcommand_from connect bench' -l timeout -x -d (__meari_text 'how long connecting may take (default 10s)' '연결에 걸려도 되는 시간 (기본 10s)')
complete -c meari -n '__fish_seen_subcommand_from connect' -l source -x -d (__meari_text 'connect from this address of ours' '이 주소에서 연결합니다')
complete -c meari -n '__fish_seen_subcommand_from connect' -l retry -x -d (__meari_text 'try again, at most N times, when connecting fails' '연결하지 못하면 최대 N번 다시 시도합니다')
complete -c meari -n '__fish_seen_subcommand_from connect' -l repeat -x -d (__meari_text 'do it N times, and say how long each took' 'N번 되풀이하고 매번 걸린 시간을 알립니다')
complete -c meari -n '__fish_seen_subcommand_from connect' -l interval -x -d (__meari_text 'from one repetition to the next (default 1s)' '되풀이하는 간격 (기본 1s)')
complete -c meari -n '__fish_seen_subcommand_from connect' -l crlf -d (__meari_text 'send line ends as CRLF' '줄 끝을 CRLF로 바꾸어 보냅니다')
complete -c meari -n '__fish_seen_subcommand_from connect' -l hexdump -d (__meari_text 'show every byte in both directions, in hexadecimal' '주고받는 모든 바이트를 16진수로 보여 줍니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -s c -l connections -x -d (__meari_text 'how many connections (default 64)' '연결의 수 (기본 64)')
complete -c meari -n '__fish_seen_subcommand_from bench' -l size -x -d (__meari_text 'bytes of a message (default 64): 64, 4k, 64..4096' '메시지의 크기 (기본 64): 64, 4k, 64..4096')
complete -c meari -n '__fish_seen_subcommand_from bench' -l depth -x -d (__meari_text 'messages under way on a connection (default 1)' '연결마다 한 번에 보내 둘 메시지의 수 (기본 1)')
complete -c meari -n '__fish_seen_subcommand_from bench' -s d -l duration -x -d (__meari_text 'how long to measure (default 10s)' '재는 시간 (기본 10s)')
complete -c meari -n '__fish_seen_subcommand_from bench' -l warmup -x -d (__meari_text 'run so long before measuring (default 1s)' '재기 전에 미리 돌리는 시간 (기본 1s)')
complete -c meari -n '__fish_seen_subcommand_from bench' -s r -l rate -x -d (__meari_text 'N messages a second in all, whatever the server does' '서버가 어떻게 하든 모두 합해 초당 N개를 보냅니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -l threads -x -d (__meari_text 'threads that make the load (default 1)' '부하를 만드는 스레드의 수 (기본 1)')
complete -c meari -n '__fish_seen_subcommand_from bench' -l churn -d (__meari_text 'a new connection for every message' '메시지마다 새로 연결합니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -l hold -x -d (__meari_text 'open N connections and hold them, silent' '연결 N개를 열고 아무 말 없이 붙들고 있습니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -l send -x -d (__meari_text 'send TEXT instead of bytes without meaning' '의미 없는 바이트 대신 TEXT를 보냅니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -l expect -x -d (__meari_text 'the reply to --send, when it is no echo' '메아리가 아닐 때 --send에 대한 답')
complete -c meari -n '__fish_seen_subcommand_from bench' -l server-pid -x -d (__meari_text 'also report the CPU time of this process' '이 프로세스의 CPU 시간도 알립니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -l save -x -d (__meari_text 'write the result to FILE as JSON' '결과를 JSON으로 FILE에 씁니다')
complete -c meari -n '__fish_seen_subcommand_from bench' -l json -d (__meari_text 'print the result as JSON' '결과를 JSON으로 출력합니다')
complete -c meari -n '__fish_seen_subcommand_from serve connect' -l on-eof -x -a 'half-close close keep wait:' -d (__meari_text 'at the end of input: half-close, close, keep, wait:5s' '입력이 끝나면: half-close, close, keep, wait:5s')
complete -c meari -n '__fish_seen_subcommand_from serve connect' -l raw -d (__meari_text 'print what comes as it is, on a terminal too' '받은 것을 터미널에도 그대로 출력합니다')
complete -c meari -n '__fish_seen_subcommand_from serve connect' -l idle -x -d (__meari_text 'give up after TIME without a byte (0: never)' 'TIME 동안 오가는 것이 없으면 그만둡니다 (0: 계속 기다림)')
complete -c meari -n '__fish_seen_subcommand_from serve connect' -l explain -d (__meari_text 'show each step of the sockets as it happens' '소켓에서 일어나는 일을 한 단계씩 보여 줍니다')
complete -c meari -n '__fish_seen_subcommand_from serve connect' -l events -x -a 'json' -d (__meari_text 'the same steps as JSON, one object a line' '같은 단계를 한 줄에 하나씩 JSON으로 출력합니다')
complete -c meari -n '__fish_seen_subcommand_from serve connect bench' -l backend -x -a 'auto uring uring-floor epoll' -d (__meari_text 'what moves the bytes (default auto)' '바이트를 옮기는 방식 (기본 auto)')
complete -c meari -n '__fish_seen_subcommand_from serve connect bench' -s q -l quiet -d (__meari_text 'say only what went wrong' '잘못된 것만 알립니다')
complete -c meari -l lang -x -a 'ko en' -d (__meari_text 'the language of all messages' '메시지의 언어')
complete -c meari -s h -l help -d (__meari_text 'print this and exit' '이 도움말을 출력합니다')
complete -c meari -s V -l version -d (__meari_text 'print version, compiler and backend' '버전, 컴파일러, 백엔드를 출력합니다')
