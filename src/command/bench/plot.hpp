// Plot: a measurement as a picture, beside an earlier one where there is one. One SVG that needs nothing else: no scripts, no
// fonts, no network. It brings its own background, light or dark as the reader's system is, so that it can stand on any page.
#pragma once

#include <string>

#include "measurement.hpp"
#include "src/command/speech/language.hpp"

namespace meari::command {

struct Earlier {
  const Measurement* run = nullptr;  // none
  std::string name;                  // of its file
};
[[nodiscard]] std::string plot(const Measurement& now, const Earlier& before, Language language);

}  // namespace meari::command
