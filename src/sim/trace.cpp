#include "src/sim/trace.hpp"

#include <algorithm>
#include <cstdio>

#include <meari/quote.hpp>

namespace meari {
inline namespace v1 {

void SimTrace::take(Entry entry) {
  if (print_) std::fprintf(stderr, "%s\n", line(entry).c_str());
  if (frozen_ || most_ == 0) return;
  if (entries_.size() < most_) return entries_.push_back(std::move(entry));
  entries_[oldest_] = std::move(entry);
  oldest_ = (oldest_ + 1) % most_;
}

void SimTrace::add(const WireEvent& event) {
  if (frozen_ && !print_) return;
  Entry entry;
  entry.event = event;
  if (event.from != nullptr) entry.from = *event.from;
  if (event.to != nullptr) entry.to = *event.to;
  std::ranges::copy(event.bytes.first(std::min(event.bytes.size(), entry.bytes.size())), entry.bytes.begin());
  entry.event.from = entry.event.to = nullptr;
  entry.event.bytes = {};
  take(std::move(entry));
}

void SimTrace::add(Time time, std::string_view note) {
  Entry entry;
  entry.event.time = time;
  entry.note = note;
  entry.is_note = true;
  take(std::move(entry));
}

//     0.003104211  server    10.0.0.1:9000 > 10.0.0.2:32768  departed DATA 6 "hello\n"
std::string SimTrace::line(const Entry& entry) const {
  const auto ns = entry.event.time.time_since_epoch().count();
  char time[40];
  std::snprintf(time, sizeof time, "%6lld.%09lld  ", static_cast<long long>(ns / 1'000'000'000),
                static_cast<long long>(ns % 1'000'000'000));
  std::string text = time;
  if (entry.is_note) return text + entry.note;
  const WireEvent& event = entry.event;
  std::string host = event.host < hosts_.size() ? hosts_[event.host] : "?";
  host.resize(std::max<std::size_t>(host.size(), 10), ' ');
  text += host + ' ';
  if (entry.from.family() != Family::unspecified) text += entry.from.to_string() + ' ';
  if (entry.to.family() != Family::unspecified) text += "> " + entry.to.to_string() + ' ';
  text += ' ';
  text += meari::name(event.what);
  switch (event.what) {
    case WireEvent::What::opened:
    case WireEvent::What::vanished: return text;
    case WireEvent::What::closed:
      if (event.size != 0) text += ", " + std::to_string(event.size) + " bytes unread";
      return text;
    case WireEvent::What::refused: return text.append(": ").append(describe(static_cast<Errc>(event.size)));
    default: break;
  }
  text += ' ';
  text += meari::name(event.kind);
  if (event.size != 0) text += ' ' + std::to_string(event.size);
  const bool shown = event.what == WireEvent::What::departed || event.what == WireEvent::What::arrived;
  if (event.size != 0 && shown) {
    const std::size_t count = std::min(event.size, entry.bytes.size());
    text += " \"" + quote(std::span(entry.bytes).first(count)) + (event.size > count ? "…\"" : "\"");
  }
  return text;
}

std::string SimTrace::text() const {
  std::string text;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    text += line(entries_[(oldest_ + i) % entries_.size()]);
    text += '\n';
  }
  return text;
}

}  // namespace v1
}  // namespace meari
