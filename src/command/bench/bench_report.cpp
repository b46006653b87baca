#include "bench_report.hpp"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include <meari/quote.hpp>

#include "src/command/speech/columns.hpp"
#include "src/command/speech/compiler.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/machine.hpp"

namespace meari::command {
namespace {

using Json = nlohmann::ordered_json;

constexpr double percentiles[] = {0.5, 0.9, 0.99, 0.999, 0.9999};

double in_seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

std::string percent_name(double share) { return fmt::format("p{:g}", share * 100); }

Json json_of(const Histogram& histogram) {
  Json object;
  object["count"] = histogram.total();
  object["mean_ns"] = static_cast<std::uint64_t>(histogram.mean());
  object["min_ns"] = histogram.least();
  for (const double share : percentiles) object[percent_name(share) + "_ns"] = histogram.percentile(share);
  object["max_ns"] = histogram.most();
  Json buckets = Json::array();
  histogram.each([&](std::uint64_t value, std::uint64_t count) { buckets.push_back(Json::array({value, count})); });
  object["buckets"] = std::move(buckets);
  return object;
}

Json environment() {
  const os::Machine machine = os::this_machine();
  Json object;
  object["meari"] = linked_version();
  object["compiler"] = compiler;
  object["system"] = machine.system;
  object["processor"] = quote(machine.processor);
  object["processors"] = machine.processors;
  return object;
}

constexpr std::size_t most_slices = 100;  // that are saved

std::string latency_line(std::string_view name, const Histogram& histogram) {
  std::string line = "  " + padded(std::string(name), 12);
  for (const double share : percentiles)
    line += padded(percent_name(share) + ' ' + shown_time(histogram.percentile(share)), 18);
  return line + "max " + shown_time(histogram.most()) + '\n';
}

}  // namespace

std::string shown_time(std::uint64_t nanoseconds) {
  const auto value = static_cast<double>(nanoseconds);
  if (value < 1e3) return fmt::format("{} ns", nanoseconds);
  if (value < 1e6) return fmt::format("{:.3g} µs", value / 1e3);
  if (value < 1e9) return fmt::format("{:.3g} ms", value / 1e6);
  return fmt::format("{:.3g} s", value / 1e9);
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

double Report::per_second() const noexcept {
  const double time = in_seconds(measured);
  return time > 0 ? static_cast<double>(tally->response.total()) / time : 0;
}

std::vector<Slice> Report::slices() const {
  std::vector<Slice> all;
  if (slice_length <= Duration::zero() || measured <= Duration::zero()) return all;
  const auto count = static_cast<std::size_t>((measured + slice_length - Duration(1)) / slice_length);
  for (std::size_t i = 0; i < count; ++i) {
    const Duration at = slice_length * static_cast<Duration::rep>(i);
    all.push_back({.at = in_seconds(at), .seconds = in_seconds(std::min(slice_length, measured - at)), .response = {}});
    if (i < tally->slices.size()) all.back().response = tally->slices[i];
  }
  for (std::size_t i = count; i < tally->slices.size() && !all.empty(); ++i)
    all.back().response = sum(all.back().response, tally->slices[i]);
  return at_most(std::move(all), most_slices);
}

std::vector<const Text*> Report::doubts() const {
  std::vector<const Text*> found;
  const double busy = in_seconds(measured) > 0 ? in_seconds(tally->most_cpu) / in_seconds(measured) : 0;
  if (busy > 0.95) found.push_back(&messages::doubt_busy);
  if (tally->lateness.percentile(0.99) > 1'000'000) found.push_back(&messages::doubt_late);
  if (settings->rate != 0 && per_second() < settings->rate * 0.98) found.push_back(&messages::doubt_rate);
  if (tally->failed() != 0) found.push_back(&messages::doubt_failures);
  if (tally->lost != 0) found.push_back(&messages::doubt_lost);
  if (tally->unanswered != 0) found.push_back(&messages::doubt_unanswered);
  if (!settings->hold && tally->response.total() < 1000) found.push_back(&messages::doubt_few);
  if (tally->retransmits > tally->response.total() / 1000) found.push_back(&messages::doubt_retransmits);
  if (overflows != 0) found.push_back(&messages::doubt_overflows);
  return found;
}

std::string Report::text(const Talk& talk) const {
  std::string text;
  const auto line = [&](std::string_view what) { text += quote(what, {.keep_quotes = true}) + '\n'; };
  const double time = in_seconds(measured);
  const double busy = time > 0 ? 100 * in_seconds(tally->most_cpu) / time : 0;
  const std::string sizes = settings->send ? std::to_string(settings->send->size())
                            : settings->size.least == settings->size.most
                                ? std::to_string(settings->size.least)
                                : fmt::format("{}..{}", settings->size.least, settings->size.most);
  line(talk.text(messages::bench_head, target, grouped(settings->connections), sizes, settings->depth,
                 fmt::format("{:g}", time)));
  if (settings->hold) {
    const double opening_time = in_seconds(opening);
    line(talk.text(
        messages::bench_held, grouped(tally->opened), fmt::format("{:.2f}", opening_time),
        grouped(static_cast<std::uint64_t>(opening_time > 0 ? static_cast<double>(tally->opened) / opening_time : 0)),
        grouped(tally->response.total())));
    if (server_memory && tally->opened != 0)
      line(talk.text(messages::bench_memory, grouped(*server_memory / tally->opened)));
  } else {
    line(talk.text(settings->churn ? messages::bench_churned : messages::bench_done, grouped(tally->response.total()),
                   grouped(static_cast<std::uint64_t>(per_second()))));
  }
  if (tally->response.total() != 0) {
    if (settings->rate != 0) {
      text += latency_line(talk.text(messages::bench_response), tally->response);
      text += latency_line(talk.text(messages::bench_service), tally->service);
    } else {
      text += latency_line(talk.text(messages::bench_latency), tally->response);
    }
  }
  line(talk.text(messages::bench_verified, grouped(tally->bytes_sent), grouped(tally->bytes_received), tally->wrong));
  for (const auto& [what, times] : tally->failures) line(talk.text(messages::bench_failed, what, times));
  if (tally->unanswered != 0) line(talk.text(messages::bench_unanswered, tally->unanswered));
  if (settings->where.kind == Kind::datagram) {
    const auto all = static_cast<double>(tally->lost + tally->response.total());
    line(talk.text(messages::bench_datagrams, grouped(tally->lost),
                   fmt::format("{:.2f}", all > 0 ? 100 * static_cast<double>(tally->lost) / all : 0),
                   grouped(tally->late)));
    line(talk.text(messages::bench_disorder, grouped(tally->reordered), grouped(tally->twice)));
  }
  line(talk.text(messages::bench_health, fmt::format("{:.0f}", busy), shown_time(tally->lateness.percentile(0.99)),
                 shown_time(tally->lateness.most()), tally->retransmits));
  if (descriptors != 0) line(talk.text(messages::bench_descriptors, grouped(descriptors), grouped(descriptor_limit)));
  if (server_cpu && in_seconds(*server_cpu) > 0)
    line(talk.text(
        messages::bench_server, fmt::format("{:.0f}", 100 * in_seconds(*server_cpu) / time),
        grouped(static_cast<std::uint64_t>(static_cast<double>(tally->response.total()) / in_seconds(*server_cpu)))));
  const std::vector<const Text*> found = doubts();
  if (found.empty()) line(talk.text(messages::bench_valid));
  for (const Text* doubt : found) line(talk.text(messages::bench_suspect, talk.text(*doubt)));
  return text;
}

Json Report::json() const {
  Json object;
  object["meari_bench"] = measurement_version;
  object["environment"] = environment();
  object["environment"]["date"] = date;
  object["target"] = target;
  object["backend"] = backend;
  object["connections"] = settings->connections;
  object["threads"] = settings->threads;
  object["size"] = Json::array({settings->size.least, settings->size.most});
  if (settings->send) object["send"] = quote(*settings->send);
  if (settings->expect) object["expect"] = quote(*settings->expect);
  object["depth"] = settings->depth;
  object["rate"] = settings->rate;
  object["churn"] = settings->churn;
  object["hold"] = settings->hold;
  object["duration_seconds"] = in_seconds(settings->duration);
  object["timeout_seconds"] = in_seconds(settings->timeout);
  object["warmup_seconds"] = in_seconds(settings->warmup);
  object["seconds"] = in_seconds(measured);
  object["opening_seconds"] = in_seconds(opening);
  object["opened"] = tally->opened;
  object["round_trips"] = tally->response.total();
  object["per_second"] = per_second();
  object["bytes_sent"] = tally->bytes_sent;
  object["bytes_received"] = tally->bytes_received;
  object["wrong"] = tally->wrong;
  object["unanswered"] = tally->unanswered;
  if (settings->where.kind == Kind::datagram) {
    object["lost"] = tally->lost;
    object["late"] = tally->late;
    object["twice"] = tally->twice;
    object["reordered"] = tally->reordered;
  }
  object["failures"] = Json::object();
  for (const auto& [what, times] : tally->failures) object["failures"][what] = times;
  object["response"] = json_of(tally->response);
  object["service"] = json_of(tally->service);
  object["slices"] = Json::array();
  for (const Slice& slice : slices()) object["slices"].push_back(command::json_of(slice));
  Json health;
  health["cpu_seconds"] = in_seconds(tally->cpu);
  health["busiest_thread"] = in_seconds(measured) > 0 ? in_seconds(tally->most_cpu) / in_seconds(measured) : 0;
  health["late_p99_ns"] = tally->lateness.percentile(0.99);
  health["late_max_ns"] = tally->lateness.most();
  health["descriptors"] = descriptors;
  health["descriptor_limit"] = descriptor_limit;
  health["retransmits"] = tally->retransmits;
  health["listen_overflows"] = overflows;
  object["health"] = std::move(health);
  if (server_cpu) object["server_cpu_seconds"] = in_seconds(*server_cpu);
  if (server_memory) object["server_memory_bytes"] = *server_memory;
  Json reasons = Json::array();
  for (const Text* doubt : doubts()) reasons.push_back(doubt->in(Language::en));
  object["verdict"] = reasons.empty() ? "VALID" : "SUSPECT";
  object["reasons"] = std::move(reasons);
  return object;
}

}  // namespace meari::command
