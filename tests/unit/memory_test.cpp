// The memory that bytes stand in: chunks, the pool they are on loan from, and Bytes that many hold.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <meari/bytes.hpp>
#include <meari/chunk.hpp>

#include "src/backend/pool.hpp"
#include "src/backend/slot.hpp"

using namespace meari;

namespace {

constexpr std::size_t slab = Pool::slab_bytes;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// What a backend does: room for the text, the text into it, and a loan of it.
Chunk receive(Pool& pool, std::string_view text) {
  const std::span<std::byte> room = pool.room(text.size());
  if (room.size() < text.size()) return {};
  std::memcpy(room.data(), text.data(), text.size());
  return pool.commit(room, text.size());
}

}  // namespace

TEST(Chunk, is_taken_apart_and_put_together_without_a_copy) {
  Pool pool(2 * slab);
  Chunk whole = receive(pool, "GET / HTTP");
  const std::byte* memory = whole.data();
  Chunk verb = whole.split(4);
  EXPECT_EQ(verb.text(), "GET ");
  EXPECT_EQ(whole.text(), "/ HTTP");
  EXPECT_EQ(verb.data(), memory);
  EXPECT_EQ(whole.data(), memory + 4);
  EXPECT_TRUE(verb.join(whole));
  EXPECT_EQ(verb.text(), "GET / HTTP");
  EXPECT_TRUE(whole.empty());
  verb.drop(4);
  verb.keep(1);
  EXPECT_EQ(verb.text(), "/");
  EXPECT_TRUE(verb);
  EXPECT_FALSE(Chunk());
}

TEST(Chunk, joins_only_what_follows_it_in_the_same_memory) {
  Pool pool(2 * slab);
  Chunk one = receive(pool, "one");
  Chunk two = receive(pool, "two");
  Chunk three = receive(pool, "three");
  EXPECT_FALSE(one.join(three));
  EXPECT_FALSE(two.join(one));
  EXPECT_EQ(three.text(), "three");
  EXPECT_TRUE(two.join(three));
  EXPECT_TRUE(one.join(two));
  EXPECT_EQ(one.text(), "onetwothree");
  const std::string text = "view";
  Chunk view = Chunk::view(bytes_of(std::string_view(text).substr(0, 2)));
  Chunk rest = Chunk::view(bytes_of(std::string_view(text).substr(2)));
  EXPECT_FALSE(view.join(rest)) << "nobody knows what memory it is";
}

TEST(Chunk, knows_what_it_keeps_from_others) {
  Pool pool(2 * slab);
  const Chunk loan = receive(pool, "x");
  EXPECT_TRUE(loan.on_loan());
  EXPECT_EQ(loan.pins(), slab);
  const Chunk copy = Chunk::copy_of(bytes_of("four")).value();
  EXPECT_FALSE(copy.on_loan());
  EXPECT_EQ(copy.pins(), 4U);
  EXPECT_EQ(copy.text(), "four");
  const Chunk view = Chunk::view(bytes_of("four"));
  EXPECT_FALSE(view.on_loan());
  EXPECT_EQ(view.pins(), 0U);
  EXPECT_TRUE(Chunk::copy_of({}).value().empty());
}

TEST(Pool, fills_a_slab_from_its_front_and_takes_the_next) {
  Pool pool(4 * slab);
  EXPECT_EQ(pool.slab_budget(), 4U);
  EXPECT_EQ(pool.room(1).size(), slab);
  EXPECT_EQ(pool.slabs_out(), 1U);
  EXPECT_EQ(pool.bytes_on_loan(), 0U) << "a slab that is only being filled";
  Chunk first = receive(pool, "12345");
  EXPECT_EQ(pool.bytes_on_loan(), slab);
  EXPECT_EQ(pool.room(slab - 5).size(), slab - 5);
  EXPECT_EQ(pool.slabs_out(), 1U);
  EXPECT_EQ(pool.room(slab - 4).size(), slab) << "too little is left: the next one";
  EXPECT_EQ(pool.slabs_out(), 2U);
  EXPECT_EQ(first.text(), "12345");
  first = Chunk();
  EXPECT_EQ(pool.slabs_out(), 1U) << "the full one has come back";
}

TEST(Pool, begins_again_at_the_front_when_nobody_has_anything_in_it) {
  Pool pool(2 * slab);
  const std::byte* front = nullptr;
  for (int i = 0; i < 100; ++i) {
    const Chunk chunk = receive(pool, "always the same warm memory");
    if (front == nullptr) front = chunk.data();
    EXPECT_EQ(chunk.data(), front);
  }
  EXPECT_EQ(pool.slabs_out(), 1U);
}

TEST(Pool, has_nothing_at_the_end_of_its_budget_and_something_when_a_slab_comes_back) {
  Pool pool(3 * slab);
  const std::string full(slab, 'x');
  std::vector<Chunk> kept;
  EXPECT_FALSE(pool.scarce());
  for (int i = 0; i < 3; ++i) {
    kept.push_back(receive(pool, full));
    ASSERT_EQ(kept.back().size(), slab);
    EXPECT_EQ(pool.scarce(), i >= 1) << "from the second of three on it is more than half";
  }
  EXPECT_TRUE(pool.room(1).empty());
  EXPECT_EQ(pool.take(), nullptr);
  EXPECT_EQ(pool.bytes_on_loan(), 3 * slab);
  const std::byte* warm = kept[1].data();
  kept.erase(kept.begin() + 1);
  const Chunk again = receive(pool, full);
  EXPECT_EQ(again.data(), warm);
  EXPECT_TRUE(pool.room(1).empty());
}

TEST(Pool, has_two_slabs_at_least) {
  EXPECT_EQ(Pool(0).slab_budget(), 2U);
  EXPECT_EQ(Pool(slab).slab_budget(), 2U);
  EXPECT_EQ(Pool(5 * slab + slab / 2).slab_budget(), 5U);
}

TEST(Pool, keeps_what_a_turn_needs_and_gives_the_memory_of_a_burst_back) {
  Pool pool(100 * slab);
  std::vector<Slab*> burst;
  for (int i = 0; i < 100; ++i) burst.push_back(pool.take());
  EXPECT_EQ(pool.slabs_out(), 100U);
  EXPECT_EQ(pool.take(), nullptr);
  for (Slab* one : burst) const Chunk back(one, one->memory, 0);
  EXPECT_EQ(pool.slabs_out(), 0U);
  // The warmest of those that were kept comes first: the eighth, since those after it were given back.
  Slab* warm = pool.take();
  EXPECT_EQ(warm, burst[7]);
  const Chunk back(warm, warm->memory, 0);
}

TEST(PoolDeath, a_chunk_that_outlives_it_is_a_mistake_that_is_said) {
  EXPECT_DEATH(
      {
        std::optional<Pool> pool(std::in_place, 2 * slab);
        const Chunk kept = receive(*pool, "kept");
        pool.reset();
      },
      "outlived");
}

// ---- what waits is copied out

TEST(Settle, copies_a_little_that_keeps_much_and_leaves_what_is_worth_its_slab) {
  Pool pool(8 * slab);
  Chunk little = receive(pool, std::string(slab / 4 - 1, 'l'));
  settle(little, pool);
  EXPECT_FALSE(little.on_loan());
  EXPECT_EQ(little.size(), slab / 4 - 1);
  EXPECT_EQ(little.text().find_first_not_of('l'), std::string_view::npos);
  Chunk large = receive(pool, std::string(slab / 4, 'L'));
  settle(large, pool);
  EXPECT_TRUE(large.on_loan());
}

TEST(Settle, copies_everything_while_memory_is_scarce) {
  Pool pool(4 * slab);
  Chunk one = receive(pool, std::string(slab, '1'));
  Chunk two = receive(pool, std::string(slab, '2'));
  const Chunk three = receive(pool, std::string(slab, '3'));
  ASSERT_TRUE(pool.scarce());
  settle(one, pool);
  EXPECT_FALSE(one.on_loan());
  EXPECT_FALSE(pool.scarce());
  settle(two, pool);
  EXPECT_TRUE(two.on_loan()) << "there is plenty again";
}

TEST(Settle, leaves_what_is_no_loan) {
  Pool pool(2 * slab);
  Chunk own = Chunk::copy_of(bytes_of("own")).value();
  const std::byte* memory = own.data();
  settle(own, pool);
  EXPECT_EQ(own.data(), memory);
}

// ---- counts

TEST(ByteCount, goes_on_beyond_four_gibibytes) {
  ByteCount count;
  count.add(0xFFFF'FFFFU);
  EXPECT_EQ(count.value(), 0xFFFF'FFFFU);
  count.add(1);
  EXPECT_EQ(count.value(), 0x1'0000'0000U);
  count.add(0x12'3456'789AU);
  EXPECT_EQ(count.value(), 0x13'3456'789AU);
  count.add(0x1'CBA9'8766U);
  EXPECT_EQ(count.value(), 0x15'0000'0000U);
}

// ---- Bytes

TEST(Bytes, are_shared_and_cut_without_a_copy) {
  const Bytes whole = Bytes::copy_of("hello world");
  const Bytes world = whole.substr(6);
  EXPECT_EQ(world.text(), "world");
  EXPECT_EQ(world.data(), whole.data() + 6);
  EXPECT_EQ(whole.substr(0, 5).text(), "hello");
  EXPECT_EQ(whole.substr(6, 100).text(), "world");
  EXPECT_TRUE(whole.substr(100).empty());
  EXPECT_TRUE(Bytes::copy_of("").empty());
  Bytes copy = whole;
  EXPECT_EQ(copy.data(), whole.data());
  const Bytes moved = std::move(copy);
  EXPECT_EQ(moved.text(), "hello world");
  EXPECT_TRUE(copy.empty());  // NOLINT: what is left is said to be empty
}

TEST(Bytes, live_as_long_as_anybody_has_them_on_any_thread) {
  std::optional<Bytes> whole = Bytes::copy_of(std::string(1000, 'x'));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([part = whole->substr(100, 10)] {
      for (int round = 0; round < 1000; ++round) {
        const Bytes copy = part;
        EXPECT_EQ(copy.size(), 10U);
      }
      EXPECT_EQ(part.text(), "xxxxxxxxxx");
    });
  whole.reset();
  for (std::thread& thread : threads) thread.join();
}
