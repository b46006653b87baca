// Shows what an Error tells, that it costs one word, and what remains of it when memory is short.
#include <meari/address.hpp>
#include <meari/error.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "src/os/codes.hpp"

namespace meari {
namespace {

static_assert(sizeof(Error) == sizeof(void*));

const std::vector<Errc> every_code = {
    Errc::invalid_argument,
    Errc::not_supported,
    Errc::closed,
    Errc::busy,
    Errc::limit_reached,
    Errc::canceled,
    Errc::timed_out,
    Errc::connection_refused,
    Errc::connection_reset,
    Errc::connection_aborted,
    Errc::broken_pipe,
    Errc::not_connected,
    Errc::unexpected_end,
    Errc::write_incomplete,
    Errc::tls_truncated,
    Errc::tls_failed,
    Errc::host_unreachable,
    Errc::network_unreachable,
    Errc::network_down,
    Errc::self_connect,
    Errc::message_too_long,
    Errc::address_in_use,
    Errc::address_not_available,
    Errc::name_not_found,
    Errc::name_try_again,
    Errc::not_found,
    Errc::permission_denied,
    Errc::too_many_descriptors,
    Errc::out_of_memory,
    Errc::out_of_buffers,
    Errc::would_block,
    Errc::in_progress,
    Errc::interrupted,
    Errc::system,
};

TEST(Error, no_error_is_false_and_says_so) {
  const Error none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.code(), Errc::none);
  EXPECT_FALSE(Error(Errc::none, "connect to", "somewhere"));
}

TEST(Error, message_names_operation_subject_and_code) {
  const Error error(Errc::connection_refused, "connect to", Address("127.0.0.1", 9000), 111);
  EXPECT_EQ(error.message(), "connect to 127.0.0.1:9000: connection refused");
  EXPECT_STREQ(error.operation(), "connect to");
  EXPECT_EQ(error.subject(), "127.0.0.1:9000");
  EXPECT_EQ(error.system_code(), 111);
}

TEST(Error, a_bare_code_speaks_too) {
  const Error error = Errc::timed_out;
  EXPECT_TRUE(error == Errc::timed_out);
  EXPECT_EQ(error.message(), "timed out");
  EXPECT_EQ(error.subject(), "");
  EXPECT_STREQ(error.operation(), "");
}

TEST(Error, every_code_has_words_of_its_own) {
  std::set<std::string> words;
  for (const Errc code : every_code) {
    EXPECT_TRUE(words.insert(describe(code)).second) << describe(code);
    EXPECT_FALSE(std::string(describe(code)).ends_with('.')) << describe(code);
  }
}

TEST(Error, advice_is_a_sentence_or_nothing) {
  for (const Errc code : every_code) {
    const std::string advice = Error(code).advice();
    EXPECT_TRUE(advice.empty() || advice.ends_with('.') || advice.ends_with('?')) << advice;
  }
  EXPECT_STRNE(Error(Errc::address_in_use).advice(), "");
}

TEST(Error, advice_about_a_forbidden_port_tells_which_ports_are_free) {
  EXPECT_NE(std::strstr(Error(Errc::permission_denied, "bind", Address("0.0.0.0", 80)).advice(), "1024"), nullptr);
  EXPECT_EQ(std::strstr(Error(Errc::permission_denied, "bind", "unix:/x").advice(), "1024"), nullptr);
}

TEST(Error, an_unknown_system_code_keeps_its_number) {
  const Error error = system_error(77777, "bind", "x");
  EXPECT_EQ(error.code(), Errc::system);
  EXPECT_NE(error.message().find("77777"), std::string::npos);
}

TEST(Error, every_system_code_of_the_table_has_a_meaning) {
  ASSERT_GT(os::system_codes().size(), 30U);
  for (const os::SystemCode& known : os::system_codes()) EXPECT_EQ(to_errc(known.number), known.code) << known.number;
  EXPECT_EQ(to_errc(0), Errc::none);
}

TEST(Error, during_adds_only_what_was_not_said) {
  const Error bare = Errc::broken_pipe;
  EXPECT_EQ(bare.during("send to", "a:1").message(), "send to a:1: the peer has closed");
  EXPECT_EQ(bare.during("send to", "a:1").during("receive", "b:2").subject(), "a:1");
  EXPECT_EQ(Error(Errc::timed_out, "read").during("write", "a:1").message(), "read a:1: timed out");
  EXPECT_FALSE(Error().during("send to", "a:1"));
}

TEST(Error, because_replaces_the_words_of_the_code) {
  const Error error = Error(Errc::invalid_argument, "address", "x").because("the port is missing");
  EXPECT_EQ(error.message(), "address x: the port is missing");
  EXPECT_EQ(error.during("read", "y").message(), error.message());
}

TEST(Error, copies_share_and_moves_leave_nothing) {
  Error first(Errc::closed, "read", "a long subject that no small buffer would hold, so that it is allocated");
  const Error second = first;
  EXPECT_EQ(first.subject().data(), second.subject().data());
  const Error third = std::move(first);
  EXPECT_FALSE(first);  // NOLINT: what a move leaves is specified
  EXPECT_EQ(third.message(), second.message());
}

TEST(Error, met_at_is_written_once_and_never_into_shared_details) {
  Error error(Errc::closed, "read", "a:1");
  const Error witness = error;
  const auto here = std::source_location::current();
  error.met_at(here);
  EXPECT_EQ(error.where().line(), here.line());
  EXPECT_EQ(witness.where().line(), 0U);
  error.met_at(std::source_location::current());
  EXPECT_EQ(error.where().line(), here.line());
}

TEST(Error, copies_may_be_dropped_on_many_threads) {
  const Error shared(Errc::closed, "read", "a:1");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        const Error copy = shared;
        ASSERT_EQ(copy.code(), Errc::closed);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Error, a_subject_with_any_bytes_is_kept_whole) {
  const std::string odd("a\0b\n\xff", 5);
  EXPECT_EQ(Error(Errc::closed, "read", odd).subject(), odd);
}

TEST(Error, advice_knows_what_was_done_and_where) {
  const auto advice = [](Errc code, const char* operation, const char* subject) {
    return std::string(Error(code, operation, subject).advice());
  };
  EXPECT_NE(advice(Errc::permission_denied, "bind", "0.0.0.0:80").find("below 1024"), std::string::npos);
  EXPECT_EQ(advice(Errc::permission_denied, "bind", "unix:/run/x").find("below 1024"), std::string::npos);
  EXPECT_EQ(advice(Errc::permission_denied, "connect to", "127.0.0.1:80").find("below 1024"), std::string::npos);
  EXPECT_NE(advice(Errc::address_in_use, "bind", "unix:/run/x").find("this path"), std::string::npos);
  EXPECT_EQ(advice(Errc::address_in_use, "bind", "127.0.0.1:80").find("this path"), std::string::npos);
  EXPECT_NE(advice(Errc::connection_refused, "connect to", "unix:/run/x").find("this path"), std::string::npos);
  EXPECT_EQ(advice(Errc::connection_refused, "connect to", "127.0.0.1:80").find("this path"), std::string::npos);
  EXPECT_NE(advice(Errc::not_found, "bind", "unix:/no/where").find("directory"), std::string::npos);
  EXPECT_NE(advice(Errc::address_not_available, "bind", "192.0.2.1:80").find(":PORT"), std::string::npos);
  EXPECT_EQ(advice(Errc::address_not_available, "connect to", "192.0.2.1:80").find(":PORT"), std::string::npos);
}

TEST(Error, the_peer_is_gone_is_a_class_of_its_own) {
  EXPECT_TRUE(Error(Errc::connection_reset).peer_is_gone());
  EXPECT_TRUE(Error(Errc::broken_pipe).peer_is_gone());
  EXPECT_FALSE(Error(Errc::timed_out).peer_is_gone());
  EXPECT_FALSE(Error().peer_is_gone());
}

}  // namespace
}  // namespace meari
