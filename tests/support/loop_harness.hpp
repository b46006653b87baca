// A loop over a backend under test: the same makes as in backend_harness.hpp, with Tasks and Streams on them.
//
//   class Streams : public OnLoop {};
//   TEST_P(Streams, carry_a_line) {
//     auto [client, server] = streams();
//     auto body = [&]() -> Task<> {
//       co_await client.write("line\n");
//       Chunk line = co_await server.read_until("\n");
//       EXPECT_EQ(line.text(), "line\n");
//     };
//     run(body);
//   }
//
// The guards of Contract stay up: when the loop has gone, as many descriptors are open as before.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/listener.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

#include "pattern.hpp"

namespace meari::test {

class OnLoop : public Contract {
 public:
  [[nodiscard]] Loop& loop() noexcept { return *loop_; }
  [[nodiscard]] Time now() { return loop_->backend().now(); }

  // Runs it to its end, and says how that was. What does not end by then fails with timed_out.
  template <class F>
  Error outcome_of(F& body) {
    auto bounded = [&body]() -> Task<> { co_await with_timeout(patience, body()); };
    const Result<> result = loop_->block_on(bounded);
    return result.error();
  }
  // The same for what must succeed.
  template <class F>
  void run(F& body) {
    const Error error = outcome_of(body);
    EXPECT_FALSE(error) << error.message() << "\n" << loop_->dump();
  }
  // Both side by side.
  template <class F, class G>
  void run(F& one, G& other) {
    auto both = [&]() -> Task<> {
      auto body = [&](Scope& scope) -> Task<> {
        scope.spawn([&one] { return one(); });
        co_await other();
      };
      co_await scoped(body);
    };
    run(both);
  }
  // The ends of a connection: client, server.
  std::pair<Stream, Stream> streams(Family family = Family::ipv4) {
    std::pair<Stream, Stream> ends;
    auto body = [&]() -> Task<> {
      Listener listener = co_await Listener::open(*loop_, free_address(family));
      std::vector<Address> where;
      where.push_back(co_await listener.local());
      ends.first = co_await connect(where);
      ends.second = co_await listener.accept();
    };
    run(body);
    return ends;
  }

 protected:
  void SetUp() override {
    Contract::SetUp();
    if (IsSkipped()) return;
    destroy_backends();
    loop_ = std::make_unique<Loop>(make_backend());
  }
  void TearDown() override {
    if (loop_ != nullptr) {
      loop_->run();  // who still says goodbye, may
      const Time deadline = now() + patience;
      while (loop_->backend().slots_in_use() != 0 && now() < deadline) loop_->turn(now() + 1ms);
      EXPECT_EQ(loop_->backend().slots_in_use(), 0U);
      EXPECT_EQ(loop_->backend().bytes_on_loan(), 0U);
    }
    loop_.reset();
    Contract::TearDown();
  }

 private:
  std::unique_ptr<Loop> loop_;
};

}  // namespace meari::test
