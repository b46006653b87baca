// Result<T>: a T, or the Error that says why there is none. The compiler warns when nobody looks.
//
//   Result<Socket> opened = Socket::open(Family::ipv4, Kind::stream);
//   if (!opened) return opened.error();
//   use(*opened);
//
// `value()` is for programs that have nothing better to do than to stop: it throws Failure, or ends the program
// with the message where exceptions are off. In a Task, `co_await` takes a Result apart.
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include <meari/error.hpp>

namespace meari {
inline namespace v1 {

// What Result::value() throws: an Error as an exception.
class MEARI_EXPORT Failure : public std::exception {
 public:
  explicit Failure(Error error);
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
  std::string text_;
};

[[noreturn]] MEARI_EXPORT void raise(const Error& error);  // throws Failure, or prints and aborts
[[noreturn]] MEARI_EXPORT void broken(
    const char* what) noexcept;  // a mistake in this program, not in the world: prints and aborts

// For our own mistakes only, never for what a peer may send. Stays on in release builds.
#define MEARI_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::meari::broken("assertion failed: " #condition))

template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) {  // NOLINT: a T is a Result
    std::construct_at(std::addressof(value_), std::move(value));
  }
  Result(Error error) noexcept : error_(std::move(error)) { MEARI_ASSERT(error_); }  // NOLINT
  Result(Errc code) noexcept : Result(Error(code)) {}                                // NOLINT
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : error_(other.error_) {
    if (!error_) std::construct_at(std::addressof(value_), std::move(other.value_));
  }
  Result(const Result& other)
    requires std::is_copy_constructible_v<T>
      : error_(other.error_) {
    if (!error_) std::construct_at(std::addressof(value_), other.value_);
  }
  Result& operator=(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
    if (this != &other) {
      std::destroy_at(this);
      std::construct_at(this, std::move(other));
    }
    return *this;
  }
  ~Result() {
    if (!error_) std::destroy_at(std::addressof(value_));
  }

  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return !error_; }

  [[nodiscard]] T& value() & { return checked(), value_; }
  [[nodiscard]] const T& value() const& { return checked(), value_; }
  [[nodiscard]] T value() && { return checked(), std::move(value_); }
  [[nodiscard]] T value_or(T other) && { return error_ ? std::move(other) : std::move(value_); }

  // Only after a look at has_value().
  [[nodiscard]] T& operator*() & noexcept { return present(), value_; }
  [[nodiscard]] const T& operator*() const& noexcept { return present(), value_; }
  [[nodiscard]] T&& operator*() && noexcept { return present(), std::move(value_); }
  [[nodiscard]] T* operator->() noexcept { return present(), std::addressof(value_); }
  [[nodiscard]] const T* operator->() const noexcept { return present(), std::addressof(value_); }

  // The Error; an empty one when there is a value.
  [[nodiscard]] const Error& error() const& noexcept { return error_; }
  [[nodiscard]] Error error() && noexcept { return error_; }  // a copy: error_ says what has to be destroyed

 private:
  void checked() const {
    if (error_) raise(error_);
  }
  void present() const noexcept { MEARI_ASSERT(!error_); }

  Error error_;
  union {
    T value_;
  };
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() noexcept = default;
  Result(Error error) noexcept : error_(std::move(error)) {}  // NOLINT: an empty Error is a success
  Result(Errc code) noexcept : error_(code) {}                // NOLINT

  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return !error_; }
  void value() const {
    if (error_) raise(error_);
  }
  void operator*() const noexcept { MEARI_ASSERT(!error_); }
  [[nodiscard]] const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

}  // namespace v1
}  // namespace meari
