// All of libmeari. An echo server in five lines:
//
//   Task<> echo(Stream peer) {
//     while (Chunk data = co_await peer.read())
//       co_await peer.write(std::move(data));
//   }
//   int main() { return serve("localhost:9000", echo); }
#pragma once

#include <meari/address.hpp>
#include <meari/bytes.hpp>
#include <meari/channel.hpp>
#include <meari/chunk.hpp>
#include <meari/connect.hpp>
#include <meari/datagram.hpp>
#include <meari/deadline.hpp>
#include <meari/error.hpp>
#include <meari/listener.hpp>
#include <meari/loop.hpp>
#include <meari/observer.hpp>
#include <meari/offload.hpp>
#include <meari/pace.hpp>
#include <meari/quote.hpp>
#include <meari/result.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>
#include <meari/signals.hpp>
#include <meari/socket.hpp>
#include <meari/standard.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>
