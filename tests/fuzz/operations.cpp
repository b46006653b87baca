// Operations on a simulated network, in whatever order the input says: connect, accept, send, receive, finish, cancel,
// close, abort, wait, under whatever weather. Every operation completes exactly once, bytes come in order and only those
// that were sent, and when all is closed nothing is left.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <meari/dice.hpp>

#include "need.hpp"
#include "src/backend/wire.hpp"

using namespace meari;
using fuzz::Input;
using fuzz::need;

namespace {

template <class Kind>
struct Counted : Kind {
  Counted() {
    this->run = [](Ready& ready) { ++static_cast<Counted&>(ready).completed; };
  }
  int completed = 0;
  bool started = false;
};

char nth_byte(std::uint64_t key, std::size_t place) { return static_cast<char>(mixed(key + place)); }

// One end of a connection. Which bytes go which way follows from the client's address.
struct End {
  Backend* backend = nullptr;
  SlotId slot;
  std::uint64_t in_key = 0, out_key = 0;
  std::size_t received = 0, sent = 0;
  bool open = true;
  bool finishing = false;
  std::vector<std::unique_ptr<Counted<Receive>>> receives;  // the last may be pending
  std::vector<std::unique_ptr<Counted<Send>>> sends;
  std::vector<std::unique_ptr<std::string>> texts;
  Counted<Finish> finish;
};

class Network {
 public:
  explicit Network(Input input) : input_(input) {
    const std::uint8_t shape = input_.byte();
    HostSetup server{.addresses = {{"10.0.0.1", 0}}, .descriptors = 30};
    HostSetup client{.addresses = {{"10.0.0.2", 0}}, .descriptors = 30};
    if ((shape & 1) != 0) server.send_buffer = client.window = 700;
    if ((shape & 2) != 0) client.send_buffer = server.window = 1;
    wire_.drive();
    const HostId first = wire_.add_host(std::move(server));
    const HostId second = wire_.add_host(std::move(client));
    backends_.push_back(make_wire_backend(wire_, first, std::size_t{2} << 16));
    backends_.push_back(make_wire_backend(wire_, second, std::size_t{2} << 16));
    listener_ =
        backends_[0]->open({.role = Role::listener, .local = {"0.0.0.0", 80}, .backlog = (shape >> 2) % 4}).value();
    if ((shape & 16) != 0) {
      storm_ = std::make_unique<Dice>(input_.byte());
      wire_.set_weather({.passage = [this](const Segment&) { return passage(); },
                         .call = [this](const WireCall&) { return verdict(); }});
    }
  }

  void run() {
    for (int steps = 0; steps < 400 && !input_.empty(); ++steps) {
      act();
      look();
    }
    for (int rounds = 0; rounds < 3; ++rounds) {  // what is accepted or connected at the last moment has to go, too
      for (const auto& end : ends_) close(*end, false);
      for (auto& accept : accepts_) backends_[0]->cancel(*accept);
      for (auto& connect : connects_) backends_[1]->cancel(*connect);
      pass(never);
      look();
    }
    backends_[0]->close(listener_);
    pass(never);
    for (const auto& end : ends_) check(*end);
    for (const auto& accept : accepts_) need(accept->completed == 1);
    for (const auto& connect : connects_) need(connect->completed == 1);
    need(wire_.sockets() == 0);
    for (const auto& backend : backends_) need(backend->slots_in_use() == 0 && backend->bytes_on_loan() == 0);
    wire_.set_weather({});
  }

 private:
  Passage passage() {
    Passage passage;
    passage.latency = Duration(1 + storm_->below(1'000'000));
    passage.lost = storm_->one_in(8);
    if (storm_->one_in(4)) passage.most = storm_->between(1, 300);
    return passage;
  }
  Verdict verdict() {
    Verdict verdict;
    if (storm_->one_in(5)) verdict.error = Errc::would_block;
    if (storm_->one_in(3)) verdict.most = storm_->between(1, 60);
    return verdict;
  }

  void pass(Time end) {
    for (;;) {
      for (const auto& backend : backends_) {
        backend->wait(never);
        while (Ready* ready = backend->ready().pop()) ready->run(*ready);
      }
      if (wire_.somebody_awake()) continue;
      if (wire_.next_time() > end || !wire_.step()) return;
    }
  }

  template <class Kind>
  void submit(Backend& backend, SlotId slot, Counted<Kind>& operation) {
    operation.slot = slot;
    operation.started = true;
    if (backend.submit(operation) == Submitted::pending) return;
    need(!operation.error);
    operation.completed = 1;
  }

  void act() {
    const std::size_t action = input_.below(16);
    if (action == 0) return start_connect();
    if (action == 1) return start_accept();
    if (action == 2) return pass(wire_.now() + Duration(input_.size(60'000)) * 100);
    if (action == 3) return make_pair();
    if (ends_.empty()) return;
    End& end = *ends_[input_.below(ends_.size())];
    if (action <= 6) return start_send(end);
    if (action <= 9) return start_receive(end);
    if (action == 10 && !end.finishing) {
      end.finishing = true;
      submit(*end.backend, end.slot, end.finish);
    }
    if (action == 11 && !end.receives.empty()) end.backend->cancel(*end.receives.back());
    if (action == 12) cancel_send(end);
    if (action == 13) put_back(end);
    if (action >= 14) close(end, action == 15);
  }

  void start_connect() {
    const Result<SlotId> slot = backends_[1]->open({});
    if (!slot) return;
    connects_.push_back(std::make_unique<Counted<Connect>>());
    connects_.back()->target = Address("10.0.0.1", input_.below(8) == 0 ? 81 : 80);
    submit(*backends_[1], *slot, *connects_.back());
    if (input_.below(8) == 0) backends_[1]->cancel(*connects_.back());
  }
  void start_accept() {
    accepts_.push_back(std::make_unique<Counted<Accept>>());
    submit(*backends_[0], listener_, *accepts_.back());
    if (input_.below(8) == 0) backends_[0]->cancel(*accepts_.back());
  }
  void make_pair() {
    const auto pair = backends_[0]->pair();
    if (!pair) return;
    const std::uint64_t key = mixed(ends_.size());
    add(*backends_[0], pair->first, key, key + 1);
    add(*backends_[0], pair->second, key + 1, key);
  }
  void add(Backend& backend, SlotId slot, std::uint64_t in_key, std::uint64_t out_key) {
    ends_.push_back(std::make_unique<End>());
    ends_.back()->backend = &backend;
    ends_.back()->slot = slot;
    ends_.back()->in_key = mixed(in_key);
    ends_.back()->out_key = mixed(out_key);
  }

  void start_send(End& end) {
    if (end.finishing) return;
    end.texts.push_back(std::make_unique<std::string>(input_.size(3000), '\0'));
    for (char& letter : *end.texts.back()) letter = nth_byte(end.out_key, end.sent++);
    end.sends.push_back(std::make_unique<Counted<Send>>());
    end.sends.back()->chunk = Chunk::view(std::as_bytes(std::span(*end.texts.back())));
    submit(*end.backend, end.slot, *end.sends.back());
  }
  // Only the last one, so that the numbering of the bytes stays right.
  void cancel_send(End& end) {
    if (end.sends.empty() || end.finishing) return;
    Counted<Send>& send = *end.sends.back();
    const bool pending = send.state == Operation::State::pending;
    end.backend->cancel(send);
    if (pending && send.error && send.sent == 0) end.sent -= end.texts.back()->size();
  }
  void start_receive(End& end) {
    end.receives.push_back(std::make_unique<Counted<Receive>>());
    Counted<Receive>& receive = *end.receives.back();
    const std::size_t limit = input_.byte();
    if (limit % 2 == 1) receive.limit = limit;
    submit(*end.backend, end.slot, receive);
  }
  // The rest of what came goes back, and comes again.
  void put_back(End& end) {
    if (end.receives.empty() || !end.open) return;
    Chunk& chunk = end.receives.back()->chunk;
    if (end.receives.back()->completed == 0 || chunk.empty()) return;
    const std::size_t keep = input_.below(chunk.size());
    Chunk front = chunk.split(keep);
    end.received -= chunk.size();
    end.backend->unread(end.slot, std::move(chunk));
    chunk = Chunk();
  }
  void close(End& end, bool abort) {
    end.open = false;
    end.backend->close(end.slot, abort);
  }

  static std::uint64_t key_of(const Address& client, bool to_server) {
    return mixed(client.port() * 2U + (to_server ? 1U : 0U));
  }

  void look() {
    for (std::size_t i = 0; i < accepts_.size(); ++i) {
      Counted<Accept>& accept = *accepts_[i];
      need(accept.completed <= 1);
      if (accept.completed == 0 || accept.accepted == no_descriptor) continue;
      const Descriptor descriptor = std::exchange(accept.accepted, no_descriptor);
      if (accept.error) continue;
      const SlotId slot = backends_[0]->adopt_accepted(descriptor, accept.from).value();
      add(*backends_[0], slot, key_of(accept.from, true), key_of(accept.from, false));
    }
    for (const auto& connect : connects_) {
      need(connect->completed <= 1);
      if (connect->completed == 0 || !connect->started) continue;
      connect->started = false;
      if (connect->error) {
        backends_[1]->close(connect->slot);
        continue;
      }
      const Address here = backends_[1]->local(connect->slot).value();
      add(*backends_[1], connect->slot, key_of(here, false), key_of(here, true));
    }
    for (const auto& end : ends_) look_at(*end);
  }

  void look_at(End& end) {
    for (const auto& receive : end.receives) {
      need(receive->completed <= 1);
      if (receive->completed == 0 || !receive->started) continue;
      receive->started = false;
      if (receive->error) continue;
      for (const char letter : receive->chunk.text()) need(letter == nth_byte(end.in_key, end.received++));
      if (receive->chunk.size() > receive->limit) std::abort();
    }
    // What is kept is let go when more has come: the pool has two slabs.
    while (end.receives.size() > 1 && end.receives.front()->completed == 1) end.receives.erase(end.receives.begin());
  }

  void check(End& end) {
    for (const auto& send : end.sends) need(send->completed == 1);
    for (const auto& receive : end.receives) {
      need(receive->completed == 1);
      receive->chunk = Chunk();
    }
    if (end.finishing) need(end.finish.completed == 1);
  }

  Input input_;
  Wire wire_;
  std::unique_ptr<Dice> storm_;
  std::vector<std::unique_ptr<Backend>> backends_;
  SlotId listener_;
  std::vector<std::unique_ptr<End>> ends_;
  std::vector<std::unique_ptr<Counted<Accept>>> accepts_;
  std::vector<std::unique_ptr<Counted<Connect>>> connects_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Network(Input(data, size)).run();
  return 0;
}
