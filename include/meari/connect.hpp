// connect: a Stream to a server, by name, address or path.
//
//   Stream server = co_await connect("localhost:9000");
//
// A name with several addresses is tried as RFC 8305 ("Happy Eyeballs") says: IPv6 and IPv4 take turns, 250 ms apart
// or as soon as one has failed, and the first that answers wins. So a dead address costs a quarter of a second, not
// minutes. A socket that the kernel connects to itself is refused (self_connect).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <meari/address.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

struct ConnectOptions {
  Duration timeout = std::chrono::seconds(10);        // for all of it: looking up the name and every attempt
  Duration stagger = std::chrono::milliseconds(250);  // RFC 8305, section 5: Connection Attempt Delay
  Address source;                                     // connect from here; the kernel chooses where there is none
  Timeouts timeouts;                                  // of the stream; none
};

// `where` is written as for Endpoint: "9000", "localhost:9000", "[::1]:9000", "unix:/run/x.sock".
// Fails with name_not_found, connection_refused, timed_out …, of the last address that was tried.
[[nodiscard]] MEARI_EXPORT Task<Stream> connect(std::string where, ConnectOptions options = {});
[[nodiscard]] MEARI_EXPORT Task<Stream> connect(Endpoint where, ConnectOptions options = {});
[[nodiscard]] MEARI_EXPORT Task<Stream> connect(std::vector<Address> addresses, ConnectOptions options = {});

// What `where` stands for, without blocking the loop: helper threads ask the system.
[[nodiscard]] MEARI_EXPORT Task<std::vector<Address>> look_up(Endpoint where);

}  // namespace v1
}  // namespace meari
