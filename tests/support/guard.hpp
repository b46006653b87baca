// What tests of Tasks share: a Task that takes its time, and what notes that it has been destroyed.
#pragma once

#include <string>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/task.hpp>

namespace fake {

using namespace meari;

// Notes its name when it is destroyed.
class Guard {
 public:
  Guard(std::string& notes, const char* name) : notes_(&notes), name_(name) {}
  Guard(Guard&& other) noexcept : notes_(std::exchange(other.notes_, nullptr)), name_(other.name_) {}
  ~Guard() {
    if (notes_ != nullptr) (*notes_ += name_) += ' ';
  }

 private:
  std::string* notes_;
  const char* name_;
};

inline Task<int> slow(Duration span, int value) {
  co_await sleep_for(span);
  co_return value;
}

}  // namespace fake
