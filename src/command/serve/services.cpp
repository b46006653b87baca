#include "services.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>

#include <fmt/chrono.h>

namespace meari::command {
namespace {

constexpr std::size_t printable = 95;  // from ' ' to '~'
constexpr std::size_t line_length = 72;

consteval auto one_rotation() {
  std::array<char, printable*(line_length + 2)> all{};
  std::size_t at = 0;
  for (std::size_t line = 0; line < printable; ++line) {
    for (std::size_t column = 0; column < line_length; ++column)
      all[at++] = static_cast<char>(' ' + (line + column) % printable);
    all[at++] = '\r';
    all[at++] = '\n';
  }
  return all;
}
constexpr auto rotation = one_rotation();

// Local time against that of Greenwich, written as +0900. Not %z: the C library of Windows has the name of the zone for that.
std::string offset_of(const std::tm& local, std::time_t now) {
  using namespace std::chrono;
  const year_month_day day(year(local.tm_year + 1900), month(static_cast<unsigned>(local.tm_mon) + 1),
                           std::chrono::day(static_cast<unsigned>(local.tm_mday)));
  const auto clock = sys_days(day) + hours(local.tm_hour) + minutes(local.tm_min) + std::chrono::seconds(local.tm_sec);
  const auto ahead = duration_cast<minutes>(clock - sys_seconds(std::chrono::seconds(now))).count();
  constexpr int an_hour = 60;
  return fmt::format("{}{:02}{:02}", ahead < 0 ? '-' : '+', std::abs(ahead) / an_hour, std::abs(ahead) % an_hour);
}

}  // namespace

std::string_view generated_characters() noexcept { return {rotation.data(), rotation.size()}; }

std::string daytime(std::chrono::system_clock::time_point now) {
  static constexpr std::array<std::string_view, 12> months{"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                                           "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const std::tm local = fmt::localtime(seconds);
  const std::string_view month = months[static_cast<std::size_t>(local.tm_mon)];
  std::string zone = fmt::format("{:%Z}", local);
  if (zone.contains(' ')) zone = offset_of(local, seconds);  // Windows has names of several words
  return fmt::format("{:02} {} {} {:%H:%M:%S} {}\r\n", local.tm_mday, month, local.tm_year + 1900, local, zone);
}

std::array<char, 4> seconds_since_1900(std::chrono::system_clock::time_point now) noexcept {
  constexpr std::int64_t from_1900_to_1970 = 2'208'988'800;  // 70 years with 17 leap days
  const auto seconds = static_cast<std::uint32_t>(std::chrono::system_clock::to_time_t(now) + from_1900_to_1970);
  return {static_cast<char>(seconds >> 24), static_cast<char>(seconds >> 16), static_cast<char>(seconds >> 8),
          static_cast<char>(seconds)};
}

}  // namespace meari::command
