// The last things that happened in a simulated network. Written down as they are, and made into text when somebody asks.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <meari/weather.hpp>

namespace meari {
inline namespace v1 {

class SimTrace {
 public:
  SimTrace(std::size_t events, bool print) : most_(events), print_(print) { entries_.reserve(events); }

  void add_host(std::string name) { hosts_.push_back(std::move(name)); }
  void add(const WireEvent& event);
  void add(Time time, std::string_view note);
  void freeze() noexcept { frozen_ = true; }  // what comes now is printed, and not kept
  [[nodiscard]] std::string text() const;     // oldest first, a line each

 private:
  struct Entry {
    WireEvent event;  // without its views
    Address from;
    Address to;
    std::array<std::byte, 32> bytes{};
    std::string note;
    bool is_note = false;
  };
  void take(Entry entry);
  [[nodiscard]] std::string line(const Entry& entry) const;

  std::size_t most_;
  bool print_;
  bool frozen_ = false;
  std::vector<std::string> hosts_;
  std::vector<Entry> entries_;  // a ring
  std::size_t oldest_ = 0;
};

}  // namespace v1
}  // namespace meari
