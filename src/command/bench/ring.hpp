// Ring: a queue in one piece of memory, which it keeps. What a connection has under way goes through one for every message, so
// it must not ask for memory as a std::deque does, every few.
#pragma once

#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

namespace meari::command {

template <class T>
class Ring {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return places_[(first_ + index) & mask()]; }
  [[nodiscard]] T& front() noexcept { return (*this)[0]; }
  [[nodiscard]] T& back() noexcept { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == places_.size()) grow();
    places_[(first_ + size_++) & mask()] = std::move(value);
  }
  void pop_front() noexcept {
    ++first_;
    --size_;
  }
  void pop_back() noexcept { --size_; }
  void clear() noexcept { size_ = 0; }

 private:
  [[nodiscard]] std::size_t mask() const noexcept { return places_.size() - 1; }
  void grow() {
    std::vector<T> more(std::bit_ceil(size_ + 1));
    for (std::size_t i = 0; i < size_; ++i) more[i] = std::move((*this)[i]);
    places_ = std::move(more);
    first_ = 0;
  }

  std::vector<T> places_;  // as many as a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace meari::command
