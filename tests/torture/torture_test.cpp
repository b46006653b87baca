// Every scenario under every fault; the proof that no call is missed; and the engine on trial itself: it sees a descriptor
// that is lost, memory that is lost, other bytes, an Error without a word, and a run that takes too long.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <meari/socket.hpp>

#include "engine.hpp"
#include "faults.hpp"

namespace meari::torture {

class Torture : public testing::TestWithParam<Scenario> {};
TEST_P(Torture, every_call_fails) { torment(GetParam()); }

const auto name_of = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Blocking, Torture, testing::ValuesIn(blocking_scenarios()), name_of);

INSTANTIATE_TEST_SUITE_P(Loop, Torture, testing::ValuesIn(loop_scenarios()), name_of);

class Starved : public testing::TestWithParam<Scenario> {};
TEST_P(Starved, every_allocation_fails) { starve(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Blocking, Starved, testing::ValuesIn(blocking_scenarios()), name_of);
INSTANTIATE_TEST_SUITE_P(Loop, Starved, testing::ValuesIn(loop_scenarios()), name_of);
INSTANTIATE_TEST_SUITE_P(Memory, Starved, testing::ValuesIn(memory_scenarios()), name_of);

// ---- nothing is missed

namespace {

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// What the sources of Linux call: names that wrappers give, and opcodes that go into a ring.
std::set<std::string> called() {
  std::set<std::string> names;
  static const std::regex wrapper(R"re(\bcall(?:_always)?\("(\w+)")re");
  static const std::regex opcode(R"re(\bIORING_OP_(\w+))re");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(MEARI_SOURCES)) {
    const std::string file = entry.path().filename().string();
    if (!entry.is_regular_file()) continue;
    if (file.find("windows") != std::string::npos || file.find("iocp") != std::string::npos) continue;
    const std::string text = text_of(entry.path());
    for (std::sregex_iterator found(text.begin(), text.end(), wrapper), end; found != end; ++found)
      names.insert((*found)[1]);
    for (std::sregex_iterator found(text.begin(), text.end(), opcode), end; found != end; ++found)
      names.insert("sqe " + (*found)[1].str());
  }
  return names;
}

}  // namespace

TEST(TortureTable, knows_every_call_and_no_other) {
  std::set<std::string> known;
  for (const Function& function : functions()) {
    EXPECT_TRUE(function.faults.empty() == (function.none != nullptr)) << function.name << " needs faults, or a reason";
    EXPECT_TRUE(known.insert(std::string(function.name)).second) << function.name << " is there twice";
  }
  const std::set<std::string> names = called();
  EXPECT_GT(names.size(), 40U);
  for (const std::string& name : names)
    EXPECT_TRUE(known.contains(name)) << "tests/torture/faults.cpp does not know " << name;
  for (const std::string& name : known) EXPECT_TRUE(names.contains(name)) << "nothing calls " << name << " any more";
}

namespace {

// "src/os/posix.cpp:81 socket" -> the line's text, for each call of a wrapper in the sources of Linux.
std::map<std::string, std::string> written_sites() {
  std::map<std::string, std::string> sites;
  static const std::regex call(R"re(\bsys::(\w+)\()re");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(MEARI_SOURCES)) {
    const std::string file = entry.path().string();
    if (!entry.is_regular_file()) continue;
    if (file.find("windows") != std::string::npos || file.find("iocp") != std::string::npos) continue;
    std::istringstream text(text_of(entry.path()));
    int number = 0;
    for (std::string line; std::getline(text, line);) {
      ++number;
      line.resize(std::min(line.find("//"), line.size()));
      for (std::sregex_iterator found(line.begin(), line.end(), call), end; found != end; ++found)
        if (function_index((*found)[1].str()) >= 0)
          sites["src" + file.substr(std::string_view(MEARI_SOURCES).size()) + ':' + std::to_string(number) + ' ' +
                (*found)[1].str()] = line;
    }
  }
  return sites;
}

}  // namespace

TEST(TortureTable, reaches_every_call_that_is_written) {
  const char* file = std::getenv("MEARI_TORTURE_SITES");
  if (file == nullptr) GTEST_SKIP() << "tools/steps/torture.sh runs this after all the others, with what they reached";
  std::set<std::string> reached;
  std::ifstream sites(file);
  for (std::string site; std::getline(sites, site);) reached.insert(site);
  const std::map<std::string, std::string> written = written_sites();
  EXPECT_GT(written.size(), 100U);
  ASSERT_FALSE(reached.empty() || reached.begin()->starts_with('?')) << "no places: is there an llvm-symbolizer?";
  std::string missed;
  for (const auto& [site, line] : written)
    if (!reached.contains(site)) missed += "no scenario reaches " + site + '\n' + line + '\n';
  EXPECT_EQ(missed, "");
  std::printf("torture: %zu calls are written, and every one of them is reached\n", written.size());
}

// ---- the engine on trial

namespace {

// What torment() complains of.
std::string complaints(const Scenario& scenario) {
  testing::TestPartResultArray seen;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &seen);
    torment(scenario);
  }
  std::string text;
  for (int i = 0; i < seen.size(); ++i) text += seen.GetTestPartResult(i).message();
  return text;
}

Result<> receive_one(Result<> (*when_it_fails)(Error)) {
  Result<std::pair<Socket, Socket>> pair = Socket::pair();
  if (!pair) return pair.error();
  if (Result<> done = pair->first.send_all("x"); !done) return done;
  std::array<char, 4> buffer{};
  const Result<std::size_t> got = pair->second.recv(buffer);
  if (!got) return when_it_fails(got.error());
  return {};
}

}  // namespace

TEST(TortureEngine, sees_a_descriptor_that_is_lost) {
  const auto lose = [](Error error) -> Result<> { return static_cast<void>(::dup(0)), error; };
  EXPECT_NE(complaints({"loses", [lose] { return receive_one(lose); }}).find("descriptors: "), std::string::npos);
}

TEST(TortureEngine, sees_memory_that_is_lost) {
  // Out of sight, but not out of our mind: the number is no pointer that a leak checker would follow.
  static std::vector<std::uintptr_t> lost;
  const auto lose = [](Error error) -> Result<> {
    return lost.push_back(~reinterpret_cast<std::uintptr_t>(new int(7))), error;
  };
  EXPECT_NE(complaints({"loses", [lose] { return receive_one(lose); }}).find("memory is left"), std::string::npos);
  for (const std::uintptr_t hidden : lost) delete reinterpret_cast<int*>(~hidden);
}

TEST(TortureEngine, sees_a_wrong_end) {
  const auto lie = [](Error error) -> Result<> { return wrong("other bytes"), error; };
  EXPECT_NE(complaints({"lies", [lie] { return receive_one(lie); }}).find("other bytes"), std::string::npos);
}

TEST(TortureEngine, sees_a_run_that_takes_too_long) {
  const auto dawdle = [](Error error) -> Result<> { return std::this_thread::sleep_for(30ms * slack()), error; };
  EXPECT_NE(complaints({"dawdles", [dawdle] { return receive_one(dawdle); }, 20ms}).find("it took"), std::string::npos);
}

TEST(TortureEngine, sees_a_scenario_that_fails_by_itself) {
  EXPECT_NE(complaints({"fails", []() -> Result<> { return Errc::busy; }}).find("fails by itself"), std::string::npos);
}

}  // namespace meari::torture
