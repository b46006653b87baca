// A workbench for tests of the wire: hosts with one backend each, driven together, and operations that say when they are over.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "src/backend/pool.hpp"
#include "src/backend/wire.hpp"

namespace meari {

using namespace std::chrono_literals;

// An operation that remembers that it was completed.
template <class Kind>
struct Watched : Kind {
  Watched() {
    this->run = [](Ready& ready) { static_cast<Watched&>(ready).over = true; };
  }
  bool over = false;
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// Runs a scenario with seeds 1 to `count`; MEARI_SIM_SEEDS=100000 runs more, MEARI_SIM_SEED=8731 that one only.
template <class Scenario>
void sweep(std::uint64_t count, Scenario scenario) {
  std::uint64_t seed = 1;
  if (const char* text = std::getenv("MEARI_SIM_SEEDS")) count = std::strtoull(text, nullptr, 10);
  if (const char* text = std::getenv("MEARI_SIM_SEED")) seed = count = std::strtoull(text, nullptr, 10);
  for (; seed <= count; ++seed) {
    scenario(seed);
    if (!testing::Test::HasFailure()) continue;
    ADD_FAILURE() << "to repeat it: MEARI_SIM_SEED=" << seed << " ctest --preset debug -R "
                  << testing::UnitTest::GetInstance()->current_test_info()->name();
    return;
  }
}

class Bench {
 public:
  Wire wire;
  std::vector<std::unique_ptr<Backend>> backends;

  Bench() { wire.drive(); }
  ~Bench() {  // what a test declared after the bench has gone by now
    wire.set_weather({});
    wire.watch({});
  }

  Backend& add(HostSetup setup = {}) { return sibling(wire.add_host(std::move(setup))); }
  Backend& sibling(HostId host) {
    backends.push_back(make_wire_backend(wire, host));
    return *backends.back();
  }

  // Lets everybody run until `enough` says so, the time comes, or nothing can happen any more.
  template <class Enough>
  bool until(Enough enough, Time end = never) {
    for (;;) {
      for (const auto& backend : backends) {
        backend->wait(never);
        while (Ready* ready = backend->ready().pop()) ready->run(*ready);
      }
      if (enough()) return true;
      if (wire.somebody_awake()) continue;
      if (wire.next_time() > end || !wire.step()) return false;
    }
  }
  void rest() {
    until([] { return false; });
  }
  void pass(Duration time) {
    const Time end = wire.now() + time;
    until([] { return false; }, end);
    wire.advance_to(end);
    until([] { return false; }, end);
  }

  template <class Kind>
  void submit(Backend& backend, SlotId slot, Watched<Kind>& operation) {
    operation.slot = slot;
    operation.over = backend.submit(operation) == Submitted::done;
  }
  template <class Kind>
  Error finish(Backend& backend, SlotId slot, Watched<Kind>& operation) {
    submit(backend, slot, operation);
    EXPECT_TRUE(until([&] { return operation.over; })) << "nothing can happen any more, and it is not over";
    return operation.error;
  }

  SlotId listen(Backend& backend, const Address& address, int backlog = -1) {
    return backend.open({.role = Role::listener, .family = address.family(), .local = address, .backlog = backlog})
        .value();
  }
  Address where(Backend& backend, SlotId slot) { return backend.local(slot).value(); }
  SlotId socket(Backend& backend, Family family = Family::ipv4, Role role = Role::stream) {
    return backend.open({.role = role, .family = family}).value();
  }
  Error connect(Backend& backend, SlotId slot, const Address& target) {
    Watched<Connect> connect;
    connect.target = target;
    return finish(backend, slot, connect);
  }
  SlotId accept(Backend& backend, SlotId listener) {
    Watched<Accept> accept;
    EXPECT_FALSE(finish(backend, listener, accept));
    return backend.adopt_accepted(accept.accepted, accept.from).value();
  }

  Error send(Backend& backend, SlotId slot, std::string_view text) {
    Watched<Send> send;
    send.chunk = Chunk::view(bytes_of(text));
    return finish(backend, slot, send);
  }
  Error finish(Backend& backend, SlotId slot) {
    Watched<Finish> finish_;
    return finish(backend, slot, finish_);
  }
  // What the next receive gives: its bytes, "(end)", or the words of the error.
  std::string receive(Backend& backend, SlotId slot) {
    Watched<Receive> receive;
    if (finish(backend, slot, receive)) return describe(receive.error.code());
    return receive.chunk.empty() ? "(end)" : std::string(receive.chunk.text());
  }
  // Everything until the end.
  std::string receive_all(Backend& backend, SlotId slot) {
    std::string all;
    for (;;) {
      const std::string some = receive(backend, slot);
      if (some == "(end)" || some.empty()) return all;
      all += some;
    }
  }
};

// Two hosts, a server that listens on port 9000 and a client.
struct TwoHosts : Bench {
  Backend& server;
  Backend& client;
  SlotId listener;
  Address address{"10.0.0.1", 9000};

  explicit TwoHosts(HostSetup server_setup = {}, HostSetup client_setup = {}, int backlog = -1)
      : server(add(with_address(std::move(server_setup), "server", "10.0.0.1"))),
        client(add(with_address(std::move(client_setup), "client", "10.0.0.2"))),
        listener(listen(server, {"0.0.0.0", 9000}, backlog)) {}

  static HostSetup with_address(HostSetup setup, const char* name, const char* ip) {
    setup.name = name;
    setup.addresses.emplace_back(ip, std::uint16_t{0});
    return setup;
  }

  struct Connection {
    SlotId near;  // at the client
    SlotId far;   // at the server
  };
  Connection connected() {
    Connection made;
    made.near = socket(client);
    EXPECT_FALSE(connect(client, made.near, address));
    made.far = accept(server, listener);
    return made;
  }
};

}  // namespace meari
