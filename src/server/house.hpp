// House: what a Server keeps of its sessions, and of the loops that they run on. For the files of this room only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <meari/channel.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>
#include "src/server/sources.hpp"

namespace meari {
inline namespace v1 {

// A session has ended: whoever waits for room looks again.
struct Server::Room {
  struct Left {};
  Channel<Left> left{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

// A loop with the sessions that run on it: the server's own, or one that another thread turns. Of the server's thread are
// `sessions` and what it asks for; all else belongs to the thread of the loop.
struct ServerHouse {
  using House = ServerHouse;

  // "End who is idle", "cut off who is left": sent to the loop's thread, unless it is still on its way there.
  struct Order : Posted {
    Order(House& to, void (*what)(House&)) noexcept : house(&to), does(what) {
      run = [](Ready& ready) {
        auto& order = static_cast<Order&>(static_cast<Posted&>(ready));
        order.on_its_way.store(false, std::memory_order_release);
        order.does(*order.house);
      };
    }
    void send(bool is_ours) {
      if (is_ours) return does(*house);
      if (!on_its_way.exchange(true, std::memory_order_acq_rel)) house->loop.post(static_cast<Posted&>(*this));
    }
    House* house;
    void (*does)(House&);
    std::atomic<bool> on_its_way = false;
  };

  // The last that the server says to another loop, and the answer: nothing is on its way there any more.
  struct Goodbye : Posted {
    Goodbye(House& of, void (*does)(House&)) noexcept : house(&of), what(does) {
      run = [](Ready& ready) {
        auto& goodbye = static_cast<Goodbye&>(static_cast<Posted&>(ready));
        goodbye.what(*goodbye.house);
      };
    }
    House* house;
    void (*what)(House&);
  };

  ServerHouse(Server& of, Loop& on, Server::Handler handles)
      : server(of), loop(on), handler(std::move(handles)), farewells(std::make_shared<Farewells>()) {}

  Server& server;

  Loop& loop;
  std::size_t sessions = 0;
  Order idle_order{*this, &Server::end_idle};
  Order cut_order{*this, &Server::cut_off};
  Goodbye goodbye{*this, [](House& house) { house.server.loop_.post(static_cast<Posted&>(house.answer)); }};
  Goodbye answer{*this, [](House& house) {
                   house.is_left = true;
                   static_cast<void>(house.server.room_->left.try_send(Server::Room::Left{}));
                 }};
  bool is_left = false;

  Server::Handler handler;
  Server::Active* first = nullptr;
  std::shared_ptr<Farewells> farewells;
};

// A session, and what the server keeps of it: one allocation, beside the frame of the handler. As a Ready it is told
// when the handler has ended.
struct Server::Active : Ready, Session {
  Active(House& house, const Address& source, Time started) noexcept : Session(house, source, started) {
    run = [](Ready& ready) {
      auto& active = static_cast<Active&>(ready);
      active.house_->server.handler_ended(active);
    };
  }
  static void* operator new(std::size_t bytes) noexcept { return allocate_frame(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_frame(memory, bytes); }

  Active* previous = nullptr;
  Active* following = nullptr;
  TaskState* task = nullptr;  // the handler's
  SlotId slot;
};

// A session on another loop. It travels there and back, with what is to be told of it.
struct Server::Dealt final : Active {
  static_assert(sizeof(Active) <= 120);  // what its class of frames has room for
  struct Step : Posted {
    Step(Dealt& of, void (*does)(Dealt&)) noexcept : dealt(&of), what(does) {
      run = [](Ready& ready) {
        auto& step = static_cast<Step&>(static_cast<Posted&>(ready));
        step.what(*step.dealt);
      };
    }
    Dealt* dealt;
    void (*what)(Dealt&);
  };

  Dealt(House& house, Arrival from, Time started, std::uint64_t listens) noexcept
      : Active(house, from.from(), started), arrival(std::move(from)), listener(listens) {}

  Arrival arrival;
  std::uint64_t listener;
  Error refused;  // no session came of it
  SessionEnd end;
  Step begin{*this, [](Dealt& dealt) { dealt.house_->server.arrive(dealt); }};
  Step begun{*this, [](Dealt& dealt) { call_back(dealt.house_->server.options_.on_start, dealt); }};
  Step over{*this, [](Dealt& dealt) {
              Server& server = dealt.house_->server;
              const std::unique_ptr<Dealt> last(&dealt);
              if (dealt.refused) {
                server.pause(dealt.refused);
                return server.make_room(dealt);
              }
              server.session_is_over(dealt, dealt.end);
            }};
};

struct Server::Counted {
  explicit Counted(std::size_t most) noexcept : sources(most) {}
  Sources sources;
};

}  // namespace v1
}  // namespace meari
