// Shows that a Result is either a value or the Error, and what value() does when there is none.
#include <meari/result.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace meari {
namespace {

TEST(Result, holds_a_value) {
  Result<std::string> result = std::string("hello");
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, "hello");
  EXPECT_EQ(result->size(), 5U);
  EXPECT_FALSE(result.error());
  EXPECT_EQ(std::move(result).value(), "hello");
}

TEST(Result, holds_an_error) {
  Result<int> result = Errc::timed_out;
  EXPECT_FALSE(result);
  EXPECT_TRUE(result.error() == Errc::timed_out);
  EXPECT_EQ(std::move(result).value_or(7), 7);
}

TEST(Result, moves_what_cannot_be_copied) {
  Result<std::unique_ptr<int>> first = std::make_unique<int>(5);
  Result<std::unique_ptr<int>> second = std::move(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(**second, 5);
  second = Result<std::unique_ptr<int>>(Errc::closed);
  EXPECT_FALSE(second);
  second = Result<std::unique_ptr<int>>(std::make_unique<int>(6));
  EXPECT_EQ(**second, 6);
}

TEST(Result, value_throws_a_failure_with_message_and_advice) {
  const Result<int> refused = Error(Errc::connection_refused, "connect to", "127.0.0.1:9");
  try {
    static_cast<void>(refused.value());
    FAIL() << "value() returned";
  } catch (const Failure& failure) {
    EXPECT_TRUE(failure.error() == Errc::connection_refused);
    EXPECT_TRUE(std::string(failure.what()).starts_with("connect to 127.0.0.1:9: connection refused"));
    EXPECT_NE(std::string(failure.what()).find("is the server running"), std::string::npos);
  }
}

TEST(Result, a_failure_escapes_what_came_from_outside) {
  EXPECT_EQ(std::string(Failure(Error(Errc::canceled, "read", "\x1b[2J")).what()), "read \\x1b[2J: canceled");
}

TEST(Result, of_nothing_is_a_success_or_an_error) {
  EXPECT_TRUE(Result<>());
  EXPECT_TRUE(Result<>(Error()));
  EXPECT_THROW(Result<>(Errc::closed).value(), Failure);
}

TEST(ResultDeathTest, looking_at_a_value_that_is_not_there_ends_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Result<int> none = Errc::closed;
  EXPECT_DEATH(static_cast<void>(*none), "assertion failed");
}

}  // namespace
}  // namespace meari
