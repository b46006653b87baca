// The catalogue: every sentence of the command, English beside Korean. What is wrong with one does not build; see
// language.hpp for what is checked and how Korean is written here. The texts of flags and verbs are in flags/flags.cpp, those of
// the library's errors in library_text.cpp.
#pragma once

#include <cstdint>
#include <string_view>

#include "language.hpp"

namespace meari::command::messages {

using text = std::string_view;
using count = std::uint64_t;

// ── the command line ─────────────────────────────────────────────────────────────────────────────────────────
inline constexpr Message<text> unknown_verb{"there is no verb {}", "{}: 그런 명령은 없습니다"};
inline constexpr Message<text> unknown_handler{"there is no handler {}", "{}: 그런 처리기는 없습니다"};
inline constexpr Message<text> unknown_flag{"there is no flag {}", "{}: 그런 옵션은 없습니다"};
inline constexpr Message<text, text> flag_of_other_verb{"{} is a flag of {}", "{}: {}의 옵션입니다"};
inline constexpr Message<text> did_you_mean{"did you mean {}?", "혹시 이것입니까? {}"};
inline constexpr Message<text> handlers_are{"the handlers are: {}", "처리기: {}"};
inline constexpr Message<text> verbs_are{"the verbs are: {}", "명령: {}"};
inline constexpr Message<text> see_help{"see: {}", "도움말: {}"};
inline constexpr Message<text, text> value_missing{"{} needs a value: {}", "{}: 값이 필요합니다: {}"};
inline constexpr Message<text> value_unwanted{"{} takes no value", "{}: 값을 받지 않는 옵션입니다"};
inline constexpr Message<text> given_twice{"{} is given more than once", "{}: 두 번 이상 적었습니다"};
inline constexpr Message<text, text> conflict{"{} and {} exclude each other", "{}, {}: 함께 쓸 수 없습니다"};
inline constexpr Message<text, text> needs{"{} needs {}", "{}: 함께 적어야 하는 옵션: {}"};
inline constexpr Text or_{" or ", " 또는 "};
inline constexpr Message<text, text, text> not_a_choice{"{} {}: it is one of {}",
                                                        "{} {}: 다음 가운데 하나여야 합니다: {}"};
inline constexpr Message<text, text> not_a_duration{"{} {}: a time is a number and a unit: 500ms, 2s, 5m, 1h",
                                                    "{} {}: 시간은 숫자와 단위로 적습니다: 500ms, 2s, 5m, 1h"};
inline constexpr Message<text, text, count, count> not_a_count{"{} {}: it is a whole number from {} to {}",
                                                               "{} {}: {}에서 {}까지의 정수여야 합니다"};
inline constexpr Message<text> not_a_policy{
    "--on-eof {}: it is half-close, close, keep or wait:TIME, as in wait:5s",
    "--on-eof {}: half-close, close, keep, wait:시간(예: wait:5s) 가운데 하나여야 합니다"};
inline constexpr Message<text> not_a_source{
    "--source {}: it is a numeric address: 192.0.2.1, 192.0.2.1:4000 or 2001:db8::1",
    "--source {}: 숫자 주소여야 합니다: 192.0.2.1, 192.0.2.1:4000, 2001:db8::1"};
inline constexpr Message<text, text> handler_needs{"the handler {} needs to be told more: {}",
                                                   "처리기 {}: 더 적어야 합니다: {}"};
inline constexpr Message<text, text> for_handler{"{} is for the handler {}", "{}: 처리기 {}에만 쓰는 옵션입니다"};
inline constexpr Message<text> on_one_thread{"the handler {} works on one thread, so there is no --workers",
                                             "처리기 {}: 스레드 하나에서만 동작하므로 --workers는 쓸 수 없습니다"};
inline constexpr Message<text> not_a_target{
    "{}: a target is one address to connect to, such as localhost:9000 or unix:/run/x.sock",
    "{}: 연결할 주소 하나를 적어야 합니다. 예: localhost:9000, unix:/run/x.sock"};
inline constexpr Message<text, text, text> not_over_datagrams{
    "{}: {} is for connections; handlers for datagrams: {}",
    "{}: {} 처리기는 연결에만 쓸 수 있습니다. 데이터그램을 받는 처리기: {}"};
inline constexpr Message<text, text> no_sessions{"{}: datagrams have no sessions, so there is no {}",
                                                 "{}: 데이터그램에는 세션이 없습니다. 함께 쓸 수 없는 옵션: {}"};
inline constexpr Message<text> dump_among_json{
    "--hexdump is for people, and with {} every line is for programs; --record keeps the bytes beside it",
    "--hexdump는 사람을 위한 것이고, {}을 쓰면 모든 줄이 프로그램을 위한 것입니다. 바이트가 필요하면 --record를 "
    "쓰십시오"};
inline constexpr Message<text> address_missing{"{} needs an address, such as localhost:9000",
                                               "{}: 주소가 필요합니다. 예: localhost:9000"};
inline constexpr Message<text, text> one_address{"{} takes one address, and {} is one too many",
                                                 "{}: 주소는 하나만 적습니다. 남은 것: {}"};
inline constexpr Message<text> no_descriptor_here{
    "{}: a socket that is open already is one connection; bench makes its own",
    "{}: 이미 열린 소켓은 연결 하나뿐입니다. bench는 연결을 스스로 맺습니다"};
inline constexpr Message<text, text> no_wildcard{
    "{}: all addresses are for a server; {} needs one, such as localhost:9000",
    "{}: 모든 주소는 서버가 쓰는 것입니다. {} 명령에는 주소 하나가 필요합니다. 예: "
    "localhost:9000"};

// ── bench ────────────────────────────────────────────────────────────────────────────────────────────────────
inline constexpr Message<text, text, text, unsigned, text> bench_head{
    "{}: {} connections, messages of {} bytes, {} at a time, {} s",
    "{}: 연결 {}개, 메시지 {}바이트, 한 번에 {}개씩, {}초"};
inline constexpr Message<text, text> bench_done{"  round trips {}, {} a second", "  왕복 {}회, 초당 {}회"};
inline constexpr Message<text, text> bench_churned{"  connections made, used and closed {}, {} a second",
                                                   "  맺고 쓰고 닫은 연결 {}개, 초당 {}개"};
inline constexpr Message<text, text, text, text> bench_held{
    "  opened {} in {} s, {} a second; still there at the end, and answered: {}",
    "  {}개를 {}초에 열었습니다(초당 {}개). 끝까지 살아 있고 답한 연결 {}개"};
inline constexpr Message<text> bench_memory{"  memory of the server: {} bytes a connection",
                                            "  서버의 메모리: 연결 하나에 {}바이트"};
inline constexpr Text bench_latency{"latency", "지연"};
inline constexpr Text bench_response{"response", "응답"};
inline constexpr Text bench_service{"service", "처리"};
inline constexpr Message<text, text, std::uint64_t> bench_verified{
    "  bytes sent {}, received {}, every one compared: wrong replies {}",
    "  보냄 {}바이트, 받음 {}바이트. 모두 비교했고 틀린 답 {}개"};
inline constexpr Message<text, std::uint64_t> bench_failed{"  failed: {} ({} times)", "  실패: {} ({}번)"};
inline constexpr Message<std::uint64_t> bench_unanswered{"  messages without a reply: {}",
                                                         "  답이 오지 않은 메시지 {}개"};
inline constexpr Message<text, text, text, std::uint64_t> bench_health{
    "  this program: busiest thread {} % of a processor, timers late by {} (p99), {} (max), segments sent again {}",
    "  이 프로그램: 가장 바쁜 스레드 CPU {}%, 타이머 지연 {} (p99), {} (최대), 재전송 {}개"};
inline constexpr Message<text, text> bench_server{
    "  the server: {} % of a processor, {} round trips for each second of its CPU time",
    "  서버: CPU {}%, CPU 시간 1초에 왕복 {}회"};
inline constexpr Text bench_valid{"  VALID: nothing speaks against these figures",
                                  "  VALID: 이 수치를 의심할 까닭이 없습니다"};
inline constexpr Message<text> bench_suspect{"  SUSPECT: {}", "  SUSPECT(의심스러움): {}"};
inline constexpr Text doubt_busy{"this program had no processor time left; the server may be faster than it could ask",
                                 "이 프로그램이 CPU를 다 썼습니다. 서버는 더 빠를 수 있습니다"};
inline constexpr Text doubt_late{
    "this program ran late (timers by more than 1 ms): the latencies hold delays of its own",
    "이 프로그램이 제때 돌지 못했습니다(타이머가 1 ms 넘게 늦음). 지연에 이 프로그램의 몫이 들어 있습니다"};
inline constexpr Text doubt_rate{"the rate that was asked for was not reached", "요청한 속도에 이르지 못했습니다"};
inline constexpr Text doubt_failures{"connections or replies failed", "실패한 연결이나 답이 있습니다"};
inline constexpr Text doubt_unanswered{"some messages got no reply", "답이 오지 않은 메시지가 있습니다"};
inline constexpr Text doubt_few{"fewer than 1,000 replies; the high percentiles mean little",
                                "답이 1,000개보다 적어 높은 백분위수에 의미가 없습니다"};
inline constexpr Text doubt_retransmits{"TCP had to send segments again; the network was part of what was measured",
                                        "TCP 재전송이 있었습니다. 네트워크까지 잰 것입니다"};
inline constexpr Text doubt_overflows{"a listen queue of this machine overflowed meanwhile",
                                      "재는 동안 이 컴퓨터에서 연결 대기열이 넘쳤습니다"};
inline constexpr Message<text, text, text, std::uint64_t> bench_live{"  {} a second  p50 {}  p99 {}  failed {}",
                                                                     "  초당 {}회  p50 {}  p99 {}  실패 {}"};
inline constexpr Text doubt_lost{"datagrams were lost; the latencies are of those that came back",
                                 "잃은 데이터그램이 있습니다. 지연은 돌아온 것만 센 것입니다"};
inline constexpr Message<text, text, text> bench_datagrams{
    "  datagrams without a reply in time {} ({} %), replies that came too late {}",
    "  제때 답이 오지 않은 데이터그램 {}개({}%), 너무 늦게 온 답 {}개"};
inline constexpr Message<text, text> bench_disorder{"  replies that another one had overtaken {}, that came twice {}",
                                                    "  순서가 바뀌어 온 답 {}개, 두 번 온 답 {}개"};
inline constexpr Message<text, text> bench_descriptors{"  descriptors open at once: {} of {}",
                                                       "  동시에 연 디스크립터 {}개, 한도 {}개"};
inline constexpr Message<text, text> no_datagram_reply{
    "{}: no datagram came back in {}; does the server there answer each one?",
    "{}: 데이터그램의 답이 {} 안에 오지 않았습니다. 하나하나 답하는 서버입니까?"};
inline constexpr Message<text> compare_unreadable{"{}: the result to compare with cannot be read",
                                                  "{}: 비교할 결과를 읽을 수 없습니다"};
inline constexpr Message<text> compare_no_result{
    "{}: this is no result of `meari bench --save`, or one of a newer version",
    "{}: `meari bench --save`의 결과가 아니거나, 더 새로운 버전의 결과입니다"};
inline constexpr Message<text, text, text> compare_head{"  compared with {}, of {}, by meari {}",
                                                        "  비교 대상: {}, {}, meari {}"};
inline constexpr Message<text, text, text> compare_differs{"  NOT THE SAME: {} was {}, now {}",
                                                           "  조건이 다릅니다: {} 이전 {}, 지금 {}"};
inline constexpr Message<text> compare_suspect{"  {} was itself SUSPECT", "  {}의 판정도 SUSPECT(의심스러움)였습니다"};
inline constexpr Text compare_before{"before", "이전"};
inline constexpr Text compare_after{"now", "지금"};
inline constexpr Text compare_ratio{"now / before (95 % interval)", "지금/이전 (95% 구간)"};
inline constexpr Text compare_better{"better", "나아짐"};
inline constexpr Text compare_worse{"WORSE", "나빠짐"};
inline constexpr Text compare_noise{"noise", "잡음 안"};
inline constexpr Text compare_same{"the same", "같음"};
inline constexpr Text compare_unknown{"measured too shortly to tell from noise",
                                      "너무 짧게 재서 잡음과 구별할 수 없음"};
inline constexpr Message<text> gate_passed{"  gate {}: passed", "  기준 {}: 통과"};
inline constexpr Message<text> gate_failed{"  gate {}: FAILED", "  기준 {}: 실패"};
inline constexpr Message<text> gate_doubtful{
    "  gate {}: passed, but only because the difference is within the noise; measure longer to be sure",
    "  기준 {}: 통과. 다만 차이가 잡음 안이라서 그렇습니다. 확실히 하려면 더 오래 재십시오"};
inline constexpr Text plot_latency{"Latency by percentile", "백분위수별 지연"};
inline constexpr Text plot_rate{"Replies per second", "초당 답의 수"};
inline constexpr Text plot_time{"seconds since the measurement began", "재기 시작한 뒤의 시간(초)"};
inline constexpr Text plot_nothing{"no replies over time to show", "시간에 따라 보일 답이 없습니다"};
inline constexpr Text plot_response{"response: since it was due", "응답: 보내기로 한 때부터"};
inline constexpr Text plot_service{"service: since it was sent", "처리: 실제로 보낸 때부터"};
inline constexpr Message<text, text, std::uint64_t, text> plot_settings{
    "{} connections · messages of {} bytes · {} at a time · {} s", "연결 {}개 · 메시지 {}바이트 · 한 번에 {}개 · {}초"};
inline constexpr Message<text> plot_open{"{} a second asked for", "초당 {}개 요청"};
inline constexpr Message<text, text, text, text> plot_described{
    "{} replies a second; latency: median {}, 99th percentile {}, maximum {}",
    "초당 답 {}개. 지연: 중앙값 {}, 99백분위수 {}, 최대 {}"};
inline constexpr Message<text, text> not_a_gate{
    "{} {}: a gate is a figure and how much worse it may become: p99+5%, max+10ms, rate-3%, errors+0; figures: rate, "
    "p50, p90, p99, p99.9, max, errors",
    "{} {}: 기준은 수치와 나빠져도 되는 정도입니다. 예: p99+5%, max+10ms, rate-3%, errors+0. 수치: rate, p50, p90, "
    "p99, p99.9, max, errors"};
inline constexpr Message<text, text> not_with_a_descriptor{
    "{} needs a new connection each time, and {} is one that is there already",
    "{}: 매번 새로 연결해야 하는 옵션입니다. 이미 있는 연결: {}"};
inline constexpr Message<text, text> not_with_datagrams{"{} is for connections, and {} has none",
                                                        "{}: 연결에 쓰는 옵션입니다. 연결이 없는 주소: {}"};
inline constexpr Message<text, text> no_check_of_datagrams{
    "{}: datagrams have no connection, so {} has nothing to try; send one with -m, and see whether a reply comes",
    "{}: 데이터그램에는 연결이 없어 {} 옵션으로 확인할 것이 없습니다. -m으로 하나 보내 답이 오는지 보십시오"};
inline constexpr Message<text, count, count> message_too_long{"{}: {} bytes; a datagram carries {} at the most",
                                                              "{}: {}바이트. 데이터그램에는 {}바이트까지 들어갑니다"};
inline constexpr Message<text, text> datagram_size{
    "{} {}: a datagram carries 8 to 65507 bytes; the first 8 are its number",
    "{} {}: 데이터그램은 8~65507바이트이며, 처음 8바이트는 번호입니다"};
inline constexpr Text datagrams_unnumbered{
    "--send over datagrams: replies carry no number, so only one can be under way: neither --depth nor --rate",
    "데이터그램에 --send를 쓰면 답에 번호가 없어 한 번에 하나만 보낼 수 있습니다. --depth, --rate와 함께 쓸 수 "
    "없습니다"};
inline constexpr Message<text> bench_not_saved{"{}: the result could not be written", "{}: 결과를 쓰지 못했습니다"};
inline constexpr Message<text, text> not_a_size{"{} {}: not a size; sizes are written 64, 4k, 1M or 64..4096",
                                                "{} {}: 크기가 아닙니다. 예: 64, 4k, 1M, 64..4096"};
inline constexpr Message<text, text> not_bytes_a_second{
    "{} {}: not a rate; it is bytes a second, such as 64k or 1M",
    "{} {}: 속도가 아닙니다. 초당 바이트 수를 적습니다. 예: 64k, 1M"};
inline constexpr Message<text, text> not_a_progress{"{} {}: write how many bytes in which time, such as 1k/30s",
                                                    "{} {}: 얼마 동안 몇 바이트인지 적습니다. 예: 1k/30s"};
inline constexpr Message<text, text> not_a_rate{"{} {}: not a rate; it is a number of messages a second, such as 1000",
                                                "{} {}: 속도가 아닙니다. 초당 메시지 수를 적습니다. 예: 1000"};
inline constexpr Message<text, text> not_escaped{
    "{} {}: after a backslash there is n, r, t, 0, \\ or two hex digits after x",
    "{} {}: 역슬래시 뒤에는 n, r, t, 0, \\ 또는 x와 16진수 두 자리가 옵니다"};

// ── serve ────────────────────────────────────────────────────────────────────────────────────────────────────
inline constexpr Message<text, text> listening{"{}: listening on {}", "{}: {}에서 기다립니다"};
inline constexpr Message<text> wildcard{
    "warning: {} is open to every network that reaches this machine, and nothing is encrypted",
    "주의: {}: 이 컴퓨터에 닿는 모든 네트워크에 열려 있으며 암호화되지 않습니다"};
inline constexpr Text unnamed{"unix:(unnamed)", "unix:(이름 없음)"};
inline constexpr Message<count, text> connected_from{"#{} {} connected", "#{} {}에서 연결했습니다"};
inline constexpr Message<count, text, count, count, text, text> session_over{"#{} {} received {}, sent {}, {} s: {}",
                                                                             "#{} {} 받음 {}, 보냄 {}, {}초: {}"};
inline constexpr Text end_finished{"finished", "끝났습니다"};
inline constexpr Text end_peer_gone{"the peer has gone", "상대가 사라졌습니다"};
inline constexpr Text end_timed_out{"timed out", "시간이 다 되었습니다"};
inline constexpr Message<text> end_idle{"timed out: nothing came or went for {} s (--idle)",
                                        "시간이 다 되었습니다: {}초 동안 아무것도 오가지 않았습니다(--idle)"};
inline constexpr Message<text> end_stalled{"timed out: it took nothing of what was sent to it for {} s",
                                           "시간이 다 되었습니다: 보낸 것을 {}초 동안 조금도 받지 않았습니다"};
inline constexpr Text end_too_slow{"too slow: it moved less than --min-progress asks for",
                                   "너무 느립니다. --min-progress만큼도 오가지 않았습니다"};
inline constexpr Text end_drained{"ended while idle, because the server stops",
                                  "서버를 멈추느라, 쉬고 있던 세션을 끝냈습니다"};
inline constexpr Text end_cut_off{"cut off, because the server stops",
                                  "서버를 멈추느라, 끝나지 않은 세션을 끊었습니다"};
inline constexpr Message<text> end_failed{"failed: {}", "실패: {}"};
inline constexpr Message<text> end_because{"({})", "(까닭: {})"};

// ── the flow chart ───────────────────────────────────────────────────────────────────────────────────────────
inline constexpr Text chart_socket{"a socket; so far it has no address", "소켓을 만들었습니다. 아직 주소는 없습니다"};
inline constexpr Text chart_bind{"it has its address now", "주소를 붙였습니다"};
inline constexpr Message<std::int64_t, std::int64_t> chart_queue{"queue {}/{}", "대기열 {}/{}"};
inline constexpr Text chart_listen{"clients can connect now; the system queues them until we accept",
                                   "이제 클라이언트가 연결할 수 있습니다. 받아들일 때까지 시스템이 대기열에 세웁니다"};
inline constexpr Text chart_connecting{"SYN sent; somebody who listens answers with SYN+ACK",
                                       "SYN을 보냈습니다. 듣는 쪽이 있으면 SYN+ACK으로 답합니다"};
inline constexpr Message<std::uint16_t> chart_connected{
    "connected: the handshake is done; the system chose our port {}",
    "연결했습니다. 핸드셰이크가 끝났고 우리 포트 {}번은 시스템이 골랐습니다"};
inline constexpr Message<std::uint16_t> chart_connected_from{
    "connected: the handshake is done, from port {}, to which the socket was bound before",
    "연결했습니다. 핸드셰이크가 끝났고 우리 포트는 연결하기 전에 붙인 {}번입니다"};
inline constexpr Text chart_connected_path{"connected, inside this machine: no network takes part",
                                           "연결했습니다. 이 컴퓨터 안에서만 오가며 네트워크를 거치지 않습니다"};
inline constexpr Text chart_connected_datagrams{
    "nothing is sent for it: the system notes the peer, takes datagrams from it alone, and tells us when it refuses",
    "보낸 것은 없습니다. 시스템이 상대를 기억해 그 상대의 데이터그램만 받고, 거부되면 알려 줍니다"};
inline constexpr Text chart_datagram_sent{"one datagram, whole or not at all; nobody confirms that it arrives",
                                          "데이터그램 하나입니다. 통째로 가거나 사라지며 도착을 확인해 주지 않습니다"};
inline constexpr Text chart_datagram_received{"one datagram, as it was sent", "보낸 그대로의 데이터그램 하나입니다"};
inline constexpr Text chart_datagrams_closed{"nothing is sent for it: the other side does not learn of it",
                                             "보내는 것이 없으므로 상대는 모릅니다"};
inline constexpr Message<std::size_t> chart_accepted{
    "a new socket for this client; the listening one stays (sockets on this port: {})",
    "이 클라이언트만의 새 소켓입니다. 듣는 소켓은 그대로 있습니다 (이 포트의 소켓 {}개)"};
inline constexpr Message<text, std::int64_t> chart_in_queue{"{}; still in the queue: {}",
                                                            "{}. 대기열에 남은 연결 {}개"};
inline constexpr Message<count, text> chart_bytes{"{} bytes \"{}\"", "{}바이트 \"{}\""};
inline constexpr Message<count> chart_count{"{} bytes", "{}바이트"};
inline constexpr Message<count, count, text> chart_totals{"received {}, sent {}, {} s", "받음 {}, 보냄 {}, {}초"};
inline constexpr Text chart_peer_finished{"the peer has finished sending (its FIN came); we may go on sending",
                                          "상대가 보내기를 마쳤습니다(FIN 도착). 우리는 더 보낼 수 있습니다"};
inline constexpr Text chart_peer_finished_too{"the peer has finished, too: nothing more will come",
                                              "상대도 보내기를 마쳤습니다. 더 올 것이 없습니다"};
inline constexpr Text chart_finished{"FIN sent: we have finished sending; what the peer sends still comes",
                                     "FIN을 보냈습니다. 우리는 보내기를 마쳤고 상대가 보내는 것은 계속 받습니다"};
inline constexpr Text chart_finished_too{"FIN sent, the second one: both directions are over",
                                         "두 번째 FIN을 보냈습니다. 이제 두 방향이 모두 끝났습니다"};
inline constexpr Text chart_reset{
    "the peer broke off (RST): it ended, or closed without reading all we sent",
    "상대가 연결을 끊었습니다(RST). 상대 프로그램이 끝났거나, 우리가 보낸 것을 다 읽지 않고 닫은 것입니다"};
inline constexpr Text chart_refused{"turned away at once", "바로 돌려보냈습니다"};
inline constexpr Text chart_closed_reset{"broken off: the peer sees RST, and nothing is left here",
                                         "연결을 끊었습니다. 상대는 RST를 받고 여기에는 아무것도 남지 않습니다"};
inline constexpr Text chart_closed_first{
    "our FIN goes first; the system sees the rest off (FIN_WAIT, then TIME_WAIT for a minute)",
    "우리 FIN이 먼저 갑니다. 나머지는 시스템이 마무리합니다 (FIN_WAIT, 그다음 1분 동안 TIME_WAIT)"};
inline constexpr Text chart_closed_time_wait{
    "we finished first, so our end stays in TIME_WAIT for a minute: late segments meet nobody else",
    "우리가 먼저 마쳤으므로 1분 동안 TIME_WAIT으로 남습니다. 늦게 온 세그먼트가 다른 연결에 섞이지 않게 하려는 "
    "것입니다"};
inline constexpr Text chart_closed_last{
    "nothing is left here; the peer finished first, so TIME_WAIT is at its end",
    "여기에는 아무것도 남지 않습니다. 상대가 먼저 마쳤으므로 TIME_WAIT은 상대 쪽에 남습니다"};
inline constexpr Text chart_closed_last_ack{
    "our FIN goes (LAST_ACK); once it is acknowledged nothing is left here, TIME_WAIT is at the peer's end",
    "우리 FIN이 갑니다(LAST_ACK). 상대가 확인하면 아무것도 남지 않으며 TIME_WAIT은 상대 쪽에 남습니다"};
inline constexpr Text chart_closed_path{"the conversation is over", "대화가 끝났습니다"};
inline constexpr Text chart_listener_closed{"nobody new can connect; who was accepted stays",
                                            "이제 새로 연결할 수 없습니다. 이미 받아들인 연결은 그대로입니다"};
inline constexpr Text chart_attempt_over{"this attempt is over", "이 시도는 끝났습니다"};
inline constexpr Message<count> chart_waits_to_send{
    "{} bytes wait in our send buffer: the peer does not read, so its window is closed; we wait for it",
    "{}바이트가 송신 버퍼에서 기다립니다. 상대가 읽지 않아 수신 창이 닫혔으므로 열릴 때까지 기다립니다"};
inline constexpr Message<count> chart_waits_to_read{
    "{} bytes have come and wait in the receive buffer: this program does not read them yet",
    "{}바이트가 와서 수신 버퍼에서 기다립니다. 이 프로그램이 아직 읽지 않습니다"};
inline constexpr Message<count> chart_waits_for_accept{
    "connections that are made already and that nobody has accepted: {}",
    "연결은 이미 맺어졌지만 아직 받아들이지 않은 클라이언트 {}개가 기다립니다"};

inline constexpr Message<count, text> owner{"process {} ({}) has it", "지금 쓰는 프로세스: {} ({})"};
inline constexpr Message<count, text> stopping{
    "stopping: sessions open: {}; those that are busy have at most {} s; a second signal ends at once",
    "멈추는 중: 세션 {}개, 바쁜 세션은 최대 {}초 기다립니다. 한 번 더 신호를 보내면 바로 끝납니다"};
inline constexpr Message<count, count, count> stopped{"stopped: sessions {}, received {}, sent {}",
                                                      "멈췄습니다: 세션 {}개, 받음 {}, 보냄 {}"};
inline constexpr Message<> stopped_alone{"stopped", "멈췄습니다"};
inline constexpr Message<count, count, count, count> drained{
    "while stopping: finished {}, idle and ended {}, cut off {}; bytes after the end of their session: {}",
    "멈추는 동안: 마친 세션 {}, 쉬다가 끝난 세션 {}, 끊은 세션 {}; 세션이 끝난 뒤에 온 바이트 {}"};
inline constexpr Message<text, text> not_answered{"datagram from {} not answered: {}",
                                                  "{}의 데이터그램에 답하지 않았습니다: {}"};
inline constexpr Text port_of_service{"it is the port of a service, which might answer the answer",
                                      "서비스의 포트라서 답에 또 답할 수 있습니다"};
inline constexpr Text own_address{"it is an echo's own port, and the two would never stop",
                                  "에코 서버 자신의 포트라서 서로 끝없이 주고받게 됩니다"};
inline constexpr Text nowhere_to_answer{"it has no address to answer to", "답을 보낼 주소가 없습니다"};
inline constexpr Message<text, count, count, count> datagrams_over{
    "{}: datagrams received {}, answered {}, left alone {}", "{}: 데이터그램 받음 {}, 답함 {}, 답하지 않음 {}"};
inline constexpr Message<count, text> recorded_no_further{"#{} is recorded no further: {}",
                                                          "#{} 기록을 멈췄습니다: {}"};
inline constexpr Text your_name{"your name? ", "이름이 무엇입니까? "};
inline constexpr Message<text, count> came_in{"{} came in; members here: {}", "{} 님이 들어왔습니다. 지금 {}명입니다"};
inline constexpr Message<text, count> left{"{} left; members here: {}", "{} 님이 나갔습니다. 지금 {}명입니다"};
inline constexpr Message<count, text> named{"#{} is called {}", "#{} 이름: {}"};
inline constexpr Message<count, text> program_said{"#{} the program: {}", "#{} 프로그램: {}"};
inline constexpr Message<count, count> program_returned{"#{} the program ended with status {}",
                                                        "#{} 프로그램이 종료 상태 {}으로 끝났습니다"};
inline constexpr Message<count, count> program_killed{"#{} the program was ended by signal {}",
                                                      "#{} 프로그램이 신호로 끝났습니다: {}"};
inline constexpr Message<text, text> turned_away{"{} turned away: {}", "{}: 받지 않았습니다: {}"};
inline constexpr Message<text, text, count> turned_away_with_others{
    "{} turned away: {}; others since the last such line: {}",
    "{}: 받지 않았습니다: {}. 지난번 알린 뒤로 받지 않은 다른 연결: {}"};
inline constexpr Text not_admitted{"--allow and --deny do not admit it", "--allow와 --deny에 따라 받지 않는 곳입니다"};
inline constexpr Message<text, count> source_full{
    "{} turned away: its sessions are as many as may be by --max-per-source: {}, until one of them ends",
    "{}: 받지 않았습니다. 이곳의 세션이 --max-per-source의 한도({})에 이르러, 하나가 끝날 때까지 더 받지 않습니다"};
inline constexpr Message<text, count, count> source_full_with_others{
    "{} turned away: its sessions are as many as may be by --max-per-source: {}, until one of them ends; others since "
    "the "
    "last such line: {}",
    "{}: 받지 않았습니다. 이곳의 세션이 --max-per-source의 한도({})에 이르러, 하나가 끝날 때까지 더 받지 않습니다. "
    "지난번 "
    "알린 뒤로 받지 않은 다른 연결: {}"};
inline constexpr Message<count, count> slowed_in{
    "#{} slowed down: read no faster than {} bytes a second (--limit-rate), until it sends less",
    "#{} 늦추는 중: 상대가 덜 보낼 때까지 1초에 {}바이트까지만 읽습니다(--limit-rate)"};
inline constexpr Message<count, count> slowed_out{
    "#{} slowed down: sent no faster than {} bytes a second (--limit-rate), until there is less to send",
    "#{} 늦추는 중: 보낼 것이 줄어들 때까지 1초에 {}바이트까지만 보냅니다(--limit-rate)"};
inline constexpr Message<> lists_read{"--allow and --deny were read again", "--allow와 --deny를 다시 읽었습니다"};
inline constexpr Message<text> lists_kept{"--allow and --deny stay as they were: {}",
                                          "--allow와 --deny를 그대로 둡니다: {}"};
inline constexpr Message<text> paused{"paused: {}; who comes meanwhile waits in the queue",
                                      "잠시 멈췄습니다: {}. 그동안 오는 연결은 대기열에서 기다립니다"};
inline constexpr Message<count> resumed{"resumed: nobody has to wait any more; pauses: {}",
                                        "다시 받습니다: 이제 기다리는 연결이 없습니다. 멈춘 횟수: {}"};
inline constexpr Message<count> lines_lost{"lines lost here, because nobody read them: {}",
                                           "읽는 쪽이 없어 여기서 {}줄을 잃었습니다"};

// ── connect ──────────────────────────────────────────────────────────────────────────────────────────────────
inline constexpr Message<text, text> connected{"connected to {} from {}", "{}에 연결했습니다. 이쪽 주소: {}"};
inline constexpr Message<text, text, count> connected_first{
    "connected to {} from {}, the first of {} addresses that answered",
    "{}에 연결했습니다. 이쪽 주소: {} (주소 {}개 가운데 먼저 답한 곳)"};
inline constexpr Message<text, count, count, text> dialling_again{"{}; attempt {} of {} in {} s",
                                                                  "{0}. {3}초 뒤에 다시 시도합니다 ({1}/{2})"};
inline constexpr Message<text> checked{"it took {} ms", "걸린 시간: {}ms"};
inline constexpr Message<> how_to_end{"type lines; Ctrl-D ends your input, Ctrl-C ends everything",
                                      "한 줄씩 입력하십시오. Ctrl-D는 입력의 끝, Ctrl-C는 전체 종료입니다"};
inline constexpr Message<count> line_sent{"bytes sent: {}", "보냄 {}바이트"};
inline constexpr Message<count> piece_received{"bytes received: {}", "받음 {}바이트"};
inline constexpr Message<count, count, count, text> account{"sent {}, acknowledged {}, received {}; {}",
                                                            "보냄 {}, 확인됨 {}, 받음 {}; {}"};
inline constexpr Message<count, count, text> short_account{"sent {}, received {}; {}", "보냄 {}, 받음 {}; {}"};
inline constexpr Text peer_closed{"the peer closed cleanly", "상대가 정상으로 닫았습니다"};
inline constexpr Text peer_open{"the peer had not finished", "상대가 아직 끝내지 않았습니다"};
inline constexpr Text peer_reset{"the peer reset the connection", "상대가 연결을 끊었습니다(RST)"};
inline constexpr Text peer_silent{"nothing came or went for too long", "너무 오래 아무것도 오가지 않았습니다"};
inline constexpr Text you_interrupted{"you interrupted it", "사용자가 중단했습니다"};
inline constexpr Message<text> conversation_failed{"it failed: {}", "실패: {}"};
inline constexpr Message<count, text, text> echo_differs{
    "the echo differs at offset {}: sent {}, received {}",
    "되돌아온 데이터가 {}번째 위치부터 다릅니다: 보냄 {}, 받음 {}"};
inline constexpr Message<count, count> echo_short{"the echo is short: sent {}, received {}",
                                                  "되돌아온 데이터가 모자랍니다: 보냄 {}, 받음 {}"};
inline constexpr Message<count> echo_long{"the echo goes on at offset {}, where nothing was sent",
                                          "되돌아온 데이터가 보낸 것보다 깁니다: {}번째 위치부터 남습니다"};
inline constexpr Message<count> echo_too_far_behind{"{} bytes were sent and did not come back; is this an echo?",
                                                    "{}바이트를 보냈지만 되돌아오지 않았습니다. 에코 서버가 맞습니까?"};
inline constexpr Message<text, text> datagrams_to{"datagrams go to {} from {}; none of them is acknowledged",
                                                  "{}에 데이터그램을 보냅니다. 이쪽 주소: {} (도착 확인은 없습니다)"};
inline constexpr Message<text, text, count> datagrams_to_first{
    "datagrams go to {} from {}, the first of {} addresses; none of them is acknowledged",
    "{}에 데이터그램을 보냅니다. 이쪽 주소: {} (주소 {}개 가운데 첫째, 도착 확인은 없습니다)"};
inline constexpr Message<text> datagrams_to_others{"the name stands for other addresses, too: {}",
                                                   "이 이름의 다른 주소: {}"};
inline constexpr Message<text> datagrams_refused{
    "{}: refused: no program takes datagrams there (ICMP port unreachable)",
    "{}: 거부되었습니다. 그 포트에서 데이터그램을 받는 프로그램이 없습니다 (ICMP port unreachable)"};
inline constexpr Message<count, count> datagram_too_long{"not sent: {} bytes; a datagram carries {} at the most",
                                                         "보내지 않았습니다: {}바이트. 데이터그램에는 {}바이트까지 "
                                                         "들어갑니다"};
inline constexpr Message<count, count> reply_cut_off{
    "reply {} was longer than the {} bytes that could be received of it; the rest is lost",
    "{}번째 답은 받을 수 있는 {}바이트보다 길었습니다. 나머지는 사라졌습니다"};
inline constexpr Message<count, count, count> datagram_differs{
    "reply {} ({} bytes) is none of the datagrams that were sent and have not come back; it differs from the oldest of "
    "them at offset {}",
    "{}번째 답({}바이트)은 아직 돌아오지 않은 데이터그램 가운데 어느 것과도 다릅니다. 그중 가장 오래된 것과는 {}번째 "
    "위치부터 다릅니다"};
inline constexpr Message<count, count> datagram_unasked{
    "reply {} ({} bytes) came although everything had come back already",
    "{}번째 답({}바이트)이 왔지만, 보낸 것은 이미 모두 돌아온 뒤입니다"};
inline constexpr Message<count, count> datagrams_missing{
    "the echo is short: datagrams sent {}, not come back {}",
    "되돌아온 데이터그램이 모자랍니다: 보냄 {}개, 돌아오지 않음 {}개"};
inline constexpr Message<std::int64_t> no_more_replies{"no reply for {} s; nothing is acknowledged",
                                                       "{}초 동안 답이 없었습니다. 도착 확인은 없습니다"};
inline constexpr Message<text> waited_for_replies{"replies were awaited for {} s; nothing is acknowledged",
                                                  "답을 {}초 기다렸습니다. 도착 확인은 없습니다"};
inline constexpr Text replies_not_awaited{"replies were not awaited; nothing is acknowledged",
                                          "답을 기다리지 않았습니다. 도착 확인은 없습니다"};
inline constexpr Text all_came_back{"all that was awaited has come back", "기다리던 답이 모두 왔습니다"};
inline constexpr Text not_acknowledged{"nothing is acknowledged", "도착 확인은 없습니다"};
inline constexpr Message<count, count, count, count, text> datagram_account{
    "datagrams sent {} (bytes: {}), received {} (bytes: {}); {}",
    "데이터그램 보냄 {}개({}바이트), 받음 {}개({}바이트); {}"};
inline constexpr Message<count, text, text> repeated_datagram{"{}: {} first reply after {} ms", "{}: {} 첫 답 {}ms"};
inline constexpr Message<count, text> repeated_datagram_silence{"{}: {} no reply", "{}: {} 답 없음"};
inline constexpr Message<text, text, text> dump_title{"{} {} s, {}", "{} {}초, {}"};
inline constexpr Message<count> dumped_bytes{"bytes: {}", "{}바이트"};
inline constexpr Text dumped_end{"end (FIN)", "끝 (FIN)"};
inline constexpr Message<count, text, text, text> repeated{"{}: {} connected in {} ms, first reply after {} ms",
                                                           "{}: {} 연결 {}ms, 첫 답 {}ms"};
inline constexpr Message<count, text, text> repeated_silence{"{}: {} connected in {} ms, no reply",
                                                             "{}: {} 연결 {}ms, 답 없음"};
inline constexpr Message<count, text, text> repeated_check{"{}: {} connected in {} ms", "{}: {} 연결 {}ms"};
inline constexpr Message<count, count> repeated_all{"{} of {} went well", "{1}번 가운데 {0}번 성공했습니다"};
inline constexpr Message<text, text, text> connecting_times{"connecting: min {}, median {}, max {} ms",
                                                            "연결: 최소 {}, 중앙값 {}, 최대 {}ms"};
inline constexpr Message<text, text, text> reply_times{"first reply: min {}, median {}, max {} ms",
                                                       "첫 답: 최소 {}, 중앙값 {}, 최대 {}ms"};
inline constexpr Message<text> input_failed{"standard input: {}", "표준 입력: {}"};
inline constexpr Message<text> output_failed{"standard output: {}", "표준 출력: {}"};

// ── version ──────────────────────────────────────────────────────────────────────────────────────────────────
inline constexpr Message<text> compiled_by{"compiler  {}", "컴파일러  {}"};
inline constexpr Message<text> backend_is{"backend   {}", "백엔드    {}"};
inline constexpr Message<text> backend_refused{"          {}", "          까닭: {}"};

}  // namespace meari::command::messages
