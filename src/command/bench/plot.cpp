#include "plot.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include <meari/quote.hpp>

#include "bench_report.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

constexpr double full_width = 960;
constexpr double height = 640;

// Where a diagram stands.
struct Frame {
  double left;
  double right;
  double top;
  double bottom;
};
constexpr Frame latency_frame{.left = 92, .right = 916, .top = 142, .bottom = 398};
constexpr Frame rate_frame{.left = 92, .right = 916, .top = 478, .bottom = 578};

// Every colour twice: for readers with a light and with a dark screen. Who does not know the query shows the first.
constexpr std::string_view style = R"(<style>
text{font:13px system-ui,"Noto Sans","Noto Sans KR","Apple SD Gothic Neo","Malgun Gothic",NanumGothic,sans-serif;fill:#52606d}
.title{font-size:19px;font-weight:600;fill:#1f2933}.head{font-size:14px;font-weight:600;fill:#1f2933}
.mark{font-size:12px;font-weight:600;paint-order:stroke;stroke:#ffffff;stroke-width:4px;stroke-linejoin:round}
.card{fill:#ffffff;stroke:#d5dbe1}.grid{stroke:#e4e9ee;fill:none}.axis{stroke:#9aa5b1;fill:none}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}.thin{stroke-width:1.6;stroke-dasharray:5 5}
.now{stroke:#2563eb}.before{stroke:#d97706}.fill{fill:#2563eb;fill-opacity:.10;stroke:none}
.dot{fill:#2563eb;stroke:#ffffff;stroke-width:1.5}.tnow{fill:#1d4ed8}.good{fill:#15803d;font-weight:600}.bad{fill:#b91c1c;font-weight:600}
@media (prefers-color-scheme:dark){text{fill:#a9b4c0}.title,.head{fill:#eef2f6}.mark{stroke:#161b22}.card{fill:#161b22;stroke:#30363d}
.grid{stroke:#272e37}.axis{stroke:#6b7785}.now{stroke:#6ea8fe}.before{stroke:#f0a83c}.fill{fill:#6ea8fe}
.dot{fill:#6ea8fe;stroke:#161b22}.tnow{fill:#8bbaff}.good{fill:#4ade80}.bad{fill:#f87171}}
</style>
)";

// What came from outside: first as on a terminal, without control characters and broken UTF-8, then as XML wants it.
std::string escaped(std::string_view text) {
  std::string safe;
  for (const char letter : quote(text, {.keep_quotes = true})) {
    switch (letter) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += letter;
    }
  }
  return safe;
}

// The numbers 1, 2 and 5 times a power of ten; `up`: not below the value.
double round_number(double value, bool up) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  constexpr double steps[] = {1, 2, 5, 10};
  double best = up ? 10 : 1;
  for (const double step : steps) {
    if (up && step * power >= value * (1 - 1e-9)) {
      best = step;
      break;
    }
    if (!up && step * power <= value * (1 + 1e-9)) best = step;
  }
  return best * power;
}

std::string count_label(double value) {
  if (value >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:g}", value);
}

class Picture {
 public:
  explicit Picture(Language language) : language_(language) {}

  void raw(std::string_view text) { svg_ += text; }
  void text(double x, double y, std::string_view words, std::string_view kind = {}, std::string_view anchor = "start") {
    svg_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"", x, y);
    if (!kind.empty()) svg_ += fmt::format(" class=\"{}\"", kind);
    if (anchor != "start") svg_ += fmt::format(" text-anchor=\"{}\"", anchor);
    svg_ += '>' + escaped(words) + "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, std::string_view kind) {
    svg_ += fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", kind, x1, y1, x2, y2);
  }
  struct Point {
    double x;
    double y;
  };
  void curve(const std::vector<Point>& points, std::string_view kind) {
    if (points.empty()) return;
    svg_ += fmt::format("<path class=\"{}\" d=\"", kind);
    char letter = 'M';
    for (const Point& point : points) {
      svg_ += fmt::format("{}{:.1f} {:.1f}", letter, point.x, point.y);
      letter = 'L';
    }
    svg_ += kind == "fill" ? "Z\"/>\n" : "\"/>\n";
  }
  void dot(double x, double y) {
    svg_ += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"/>\n", x, y);
  }

  [[nodiscard]] std::string_view in(const Text& text) const noexcept { return text.in(language_); }
  [[nodiscard]] Language language() const noexcept { return language_; }
  [[nodiscard]] std::string take() { return std::move(svg_); }

 private:
  Language language_;
  std::string svg_;
};

// ---- latency: the percentile to the right, with as much room for 99 to 99.9 as for 0 to 90; the time upwards, logarithmic

class LatencyDiagram {
 public:
  LatencyDiagram(Picture& picture, const Measurement& now, const Measurement* before)
      : picture_(picture), now_(now), before_(before) {
    double least = static_cast<double>(now.response.percentile(0));
    double most = static_cast<double>(now.response.most());
    std::uint64_t count = now.response.total();
    const auto include = [&](const Histogram& histogram) {
      if (histogram.total() == 0) return;
      least = count == 0 ? static_cast<double>(histogram.least())
                         : std::min(least, static_cast<double>(histogram.percentile(0)));
      most = std::max(most, static_cast<double>(histogram.most()));
      count = std::max(count, histogram.total());
    };
    if (now.open_loop) include(now.service);
    if (before != nullptr) include(before->response);
    low_ = round_number(std::max(least, 100.0), false);
    high_ = round_number(std::max(most * 1.15, low_ * 10), true);
    decades_ = std::clamp(std::log10(static_cast<double>(std::max<std::uint64_t>(count, 1))) + 0.1, 2.0, 8.0);
  }

  void draw() {
    picture_.text(latency_frame.left, latency_frame.top - 16, picture_.in(messages::plot_latency), "head");
    draw_grid();
    if (before_ != nullptr) picture_.curve(points(before_->response), "line before");
    if (now_.open_loop) picture_.curve(points(now_.service), "line thin now");
    picture_.curve(points(now_.response), "line now");
    draw_marks();
  }

 private:
  [[nodiscard]] double x(double nines) const noexcept {
    return latency_frame.left + nines / decades_ * (latency_frame.right - latency_frame.left);
  }
  [[nodiscard]] double y(double value) const noexcept {
    const double share = std::log(std::max(value, low_) / low_) / std::log(high_ / low_);
    return latency_frame.bottom - share * (latency_frame.bottom - latency_frame.top);
  }

  void draw_grid() {
    const bool wide = high_ / low_ > 2000;  // then only powers of ten have room
    for (double value = low_; value <= high_ * 1.001; value = round_number(value * 1.01, true)) {
      const double power = std::log10(value);
      if (wide && std::abs(power - std::round(power)) > 1e-6) continue;
      picture_.line(latency_frame.left, y(value), latency_frame.right, y(value), "grid");
      picture_.text(latency_frame.left - 10, y(value) + 4.5,
                    shown_time(static_cast<std::uint64_t>(std::llround(value))), {}, "end");
    }
    for (double nines = 0; nines <= decades_; ++nines) {
      picture_.line(x(nines), latency_frame.top, x(nines), latency_frame.bottom, nines == 0 ? "axis" : "grid");
      const double share = 100 * (1 - std::pow(10, -nines));
      picture_.text(x(nines), latency_frame.bottom + 20,
                    nines == 0 ? "0 %" : fmt::format("{:.{}f} %", share, nines > 2 ? static_cast<int>(nines) - 2 : 0),
                    {}, "middle");
    }
    const double half = std::log10(2);
    picture_.line(x(half), latency_frame.top, x(half), latency_frame.bottom, "grid");
    picture_.text(x(half), latency_frame.bottom + 20, "50 %", {}, "middle");
    picture_.line(latency_frame.left, latency_frame.bottom, latency_frame.right, latency_frame.bottom, "axis");
  }

  // As far as there is anything to say: the largest of n stands at 1 - 1/n.
  [[nodiscard]] std::vector<Picture::Point> points(const Histogram& histogram) const {
    std::vector<Picture::Point> all;
    if (histogram.total() == 0) return all;
    constexpr int steps = 240;
    const double last = last_of(histogram);
    for (int i = 0; i <= steps; ++i) {
      const double nines = last * i / steps;
      const auto value =
          static_cast<double>(i == steps ? histogram.most() : histogram.percentile(1 - std::pow(10, -nines)));
      all.push_back({x(nines), y(value)});
    }
    return all;
  }
  [[nodiscard]] double last_of(const Histogram& histogram) const noexcept {
    return std::min(decades_, std::log10(static_cast<double>(histogram.total())));
  }

  // The figures that people quote.
  void draw_marks() {
    if (now_.response.total() == 0) return;
    struct Mark {
      const char* name;
      double share;
    };
    double until = -1;
    for (const Mark& mark : {Mark{"p50", 0.5}, Mark{"p99", 0.99}, Mark{"p99.9", 0.999}}) {
      const double nines = -std::log10(1 - mark.share);
      if (nines > last_of(now_.response) - 0.6 || x(nines) < until) continue;
      const std::uint64_t value = now_.response.percentile(mark.share);
      draw_mark(x(nines), y(static_cast<double>(value)), std::string(mark.name) + ' ' + shown_time(value), false);
      until = x(nines) + 90;
    }
    draw_mark(x(last_of(now_.response)), y(static_cast<double>(now_.response.most())),
              "max " + shown_time(now_.response.most()), true);
  }
  // A curve that rises leaves room at its lower right; the last one has none to its right.
  void draw_mark(double at_x, double at_y, const std::string& words, bool last) {
    picture_.dot(at_x, at_y);
    if (last) picture_.text(at_x + 6, std::max(at_y - 11, latency_frame.top - 3), words, "mark tnow", "end");
    else picture_.text(at_x + 7, std::min(at_y + 18, latency_frame.bottom - 5), words, "mark tnow");
  }

  Picture& picture_;
  const Measurement& now_;
  const Measurement* before_;
  double low_ = 1;
  double high_ = 10;
  double decades_ = 2;
};

// ---- the rate over time

void draw_rate(Picture& picture, const Measurement& now, const Measurement* before) {
  picture.text(rate_frame.left, rate_frame.top - 16, picture.in(messages::plot_rate), "head");
  double most = 0;
  double seconds = 0;
  const auto include = [&](const Measurement& run) {
    for (const Slice& slice : run.slices) {
      most = std::max(most, static_cast<double>(slice.response.total) / slice.seconds);
      seconds = std::max(seconds, slice.at + slice.seconds);
    }
  };
  include(now);
  if (before != nullptr) include(*before);
  if (most <= 0 || seconds <= 0)
    return picture.text(rate_frame.left, rate_frame.top + 24, picture.in(messages::plot_nothing));
  const double step = round_number(most / 3, true);
  const double high = std::ceil(most / step) * step;
  const auto x = [&](double at) { return rate_frame.left + at / seconds * (rate_frame.right - rate_frame.left); };
  const auto y = [&](double rate) { return rate_frame.bottom - rate / high * (rate_frame.bottom - rate_frame.top); };
  for (double value = 0; value <= high * 1.001; value += step) {
    picture.line(rate_frame.left, y(value), rate_frame.right, y(value), value == 0 ? "axis" : "grid");
    picture.text(rate_frame.left - 10, y(value) + 4.5, count_label(value), {}, "end");
  }
  const double tick = round_number(seconds / 8, true);
  for (double at = 0; at <= seconds * 1.001; at += tick) {
    picture.line(x(at), rate_frame.bottom, x(at), rate_frame.bottom + 5, "axis");
    picture.text(x(at), rate_frame.bottom + 20, fmt::format("{:g}", at), {}, "middle");
  }
  picture.text((rate_frame.left + rate_frame.right) / 2, rate_frame.bottom + 40, picture.in(messages::plot_time), {},
               "middle");
  const auto stairs = [&](const Measurement& run) {
    std::vector<Picture::Point> points;
    for (const Slice& slice : run.slices) {
      const double rate = static_cast<double>(slice.response.total) / slice.seconds;
      points.push_back({x(slice.at), y(rate)});
      points.push_back({x(slice.at + slice.seconds), y(rate)});
    }
    return points;
  };
  std::vector<Picture::Point> area = stairs(now);
  if (!area.empty()) {
    area.insert(area.begin(), {area.front().x, rate_frame.bottom});
    area.push_back({area.back().x, rate_frame.bottom});
  }
  picture.curve(area, "fill");
  if (before != nullptr) picture.curve(stairs(*before), "line before");
  picture.curve(stairs(now), "line now");
}

// ---- the words above

void draw_head(Picture& picture, const Measurement& now, const Earlier& before) {
  picture.text(32, 44, "meari bench " + now.target, "title");
  picture.text(full_width - 32, 44, now.valid ? "VALID" : "SUSPECT", now.valid ? "good" : "bad", "end");
  const std::string sizes = now.least_size == now.most_size ? std::to_string(now.most_size)
                                                            : fmt::format("{}–{}", now.least_size, now.most_size);
  std::string about = messages::plot_settings.in(picture.language(), grouped(now.connections), sizes, now.depth,
                                                 fmt::format("{:g}", now.seconds));
  if (now.open_loop) about += " · " + messages::plot_open.in(picture.language(), fmt::format("{:g}", now.rate));
  if (!now.date.empty()) about += " · " + now.date;
  picture.text(32, 68, about);
  double x = 32;
  const auto legend = [&](std::string_view kind, std::string_view words) {
    picture.line(x, 94, x + 26, 94, kind);
    picture.text(x + 34, 98.5, words);
    std::size_t letters = 0;  // wide ones are Korean
    for (const char letter : words) letters += (letter & 0xC0) != 0x80 ? ((letter & 0x80) != 0 ? 2 : 1) : 0;
    x += 34 + 7.2 * static_cast<double>(letters) + 30;
  };
  const std::string_view name =
      now.open_loop ? picture.in(messages::plot_response) : picture.in(messages::bench_latency);
  legend("line now",
         before.run == nullptr ? std::string(name) : fmt::format("{}: {}", picture.in(messages::compare_after), name));
  if (now.open_loop) legend("line thin now", picture.in(messages::plot_service));
  if (before.run != nullptr)
    legend("line before", fmt::format("{}: {}", picture.in(messages::compare_before), before.name));
}

}  // namespace

std::string plot(const Measurement& now, const Earlier& before, Language language) {
  Picture picture(language);
  picture.raw(fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\" "
      "role=\"img\" xml:lang=\"{2}\">\n",
      full_width, height, language == Language::ko ? "ko" : "en"));
  picture.raw("<title>" + escaped("meari bench " + now.target) + "</title>\n");
  picture.raw(
      "<desc>" +
      escaped(messages::plot_described.in(language, grouped(static_cast<std::uint64_t>(now.per_second)),
                                          shown_time(now.response.percentile(0.5)),
                                          shown_time(now.response.percentile(0.99)), shown_time(now.response.most()))) +
      "</desc>\n");
  picture.raw(style);
  picture.raw(fmt::format("<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"{:g}\" height=\"{:g}\" rx=\"12\"/>\n",
                          full_width - 1, height - 1));
  draw_head(picture, now, before);
  LatencyDiagram(picture, now, before.run).draw();
  draw_rate(picture, now, before.run);
  picture.raw("</svg>\n");
  return picture.take();
}

}  // namespace meari::command
