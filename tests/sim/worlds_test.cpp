// Worlds are built, run, and swept: see world.hpp.
#include <gtest/gtest.h>

#include <iostream>

#include "world.hpp"

namespace meari::worlds {

void World::add_job(Service& service, std::deque<Job*>& list) {
  Job& job = jobs_.emplace_back(net.dice("job " + std::to_string(jobs_.size())));
  job.service = &service;
  if (dice_.one_in(2)) job.timeout = 1ms * (std::int64_t{1} << dice_.below(12));
  job.where = service.host->name() + ":9000";
  for (std::uint64_t count = dice_.one_in(4) ? dice_.between(1, 30) : dice_.between(1, 8); count > 0; --count)
    job.messages.push_back(dice_.one_in(5) ? dice_.between(1, 3000) : dice_.between(1, 200));
  job.answered.resize(job.messages.size());
  list.push_back(&job);
}

// One or two addresses; a name stands for all of them.
static std::vector<Address> addresses(std::uint64_t place, bool both_families) {
  const auto last = static_cast<std::uint8_t>(place + 1);
  std::vector<Address> all;
  if (both_families) all.push_back(Address::from_ipv6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}, 0));
  all.push_back(Address::from_ipv4({10, 0, 0, last}, 0));
  return all;
}

void World::build() {
  const std::uint64_t hosts = dice_.one_in(4) ? dice_.between(2, 16) : dice_.between(2, 6);
  const std::uint64_t servers = dice_.between(1, std::min<std::uint64_t>(4, hosts - 1));
  const bool both_families = dice_.one_in(3);
  for (std::uint64_t i = 0; i < servers; ++i) build_service(i, both_families);
  std::vector<std::pair<std::deque<Job*>, std::deque<Job*>>> lists(hosts);
  for (std::uint64_t i = 0; i < hosts; ++i) {
    // Hosts of servers have few jobs; they may talk to themselves.
    for (std::uint64_t count = i < servers ? dice_.below(2) : dice_.between(1, 4); count > 0; --count) {
      Service& service = *services_[dice_.below(services_.size())];
      add_job(service, dice_.one_in(2) ? lists[i].first : lists[i].second);
      if (i < servers && services_[i].get() == &service) jobs_.back().where = "localhost:9000";
    }
  }
  for (std::uint64_t i = 0; i < hosts; ++i) {
    Service* service = i < servers ? services_[i].get() : nullptr;
    SimHostOptions options;
    options.addresses = addresses(i, both_families);
    SimHost& host =
        service != nullptr ? *service->host : net.add_host("client" + std::to_string(i), std::move(options));
    auto program = [this, service, list = lists[i]] {
      Loop& loop = *Loop::current();
      observe(loop);
      loop.spawn([this, one = list.first] { return work(one); });
      loop.spawn([this, two = list.second] { return work(two); });
      if (service == nullptr) return no_server();
      return service->protocol == Protocol::datagrams ? serve_datagrams() : serve_again_and_again(*service);
    };
    host.start(std::move(program));
  }
  for (const auto& service : services_)
    for (std::uint64_t drains = dice_.below(4); drains > 0; --drains)
      net.after(Duration(static_cast<Duration::rep>(dice_.below(20'000'000'000))), [known = service.get()] {
        if (known->server != nullptr) known->server->drain();
      });
  // A family that leads nowhere: connect() has to find out.
  if (both_families && dice_.one_in(2)) {
    SimGuard hole = net.rule([](const Segment& segment, Passage& passage) {
      if (segment.kind == Segment::Kind::syn && segment.to->family() == Family::ipv6) passage.lost = true;
    });
    hole.keep();
  }
}

void World::build_service(std::uint64_t place, bool both_families) {
  SimHostOptions options;
  options.addresses = addresses(place, both_families);
  if (dice_.one_in(4)) options.descriptors = dice_.between(18, 40);
  // Some only pass on what is said, to one that was there before.
  const Service* target = place == 0 || !dice_.one_in(3) ? nullptr : services_[dice_.below(place)].get();
  Service& service = *services_.emplace_back(std::make_unique<Service>());
  service.host = &net.add_host("server" + std::to_string(place), std::move(options));
  service.protocol = static_cast<Protocol>(dice_.below(protocols));
  service.greeting = dice_.between(1, 20'000);
  service.patience = dice_.between(4, 64);
  if (dice_.one_in(3)) service.pause = 1us * dice_.between(1, 20'000);
  service.options.listen.backlog = dice_.one_in(3) ? static_cast<int>(dice_.between(0, 3)) : -1;
  service.options.max_sessions = dice_.one_in(3) ? dice_.between(1, 4) : 0;
  service.options.timeouts.idle = std::chrono::milliseconds(dice_.between(200, 20'000));
  service.options.timeouts.stall = std::chrono::milliseconds(dice_.between(200, 20'000));
  service.options.drain = std::chrono::milliseconds(dice_.between(1, 5'000));
  if (target == nullptr || target->protocol == Protocol::datagrams) return;
  service.target = target;
  service.protocol = target->protocol;
  service.greeting = target->greeting;
}

std::string World::unfinished() const {
  std::string text;
  constexpr const char* names[] = {"echo", "count", "greet", "trade", "room", "datagrams"};
  for (const Job& job : jobs_)
    if (!job.done)
      text += std::string("a job of ") + names[static_cast<int>(job.service->protocol)] + " with " +
              job.service->host->name() + ", " + std::to_string(job.attempts) + " attempts\n";
  for (const std::string& what : net.left()) text += what + '\n';
  return text;
}

namespace {

SimReport sweep_worlds(std::uint64_t seeds) {
  SimSweep sweep;
  sweep.seeds = seeds;
  sweep.repeat = "./check --seed {} Worlds.everything";
  sweep.failed = [] { return testing::Test::HasFailure(); };
  return simulate(sweep, [](const SimOptions& options) {
    World world(options);
    world.run();
  });
}

TEST(Worlds, everything_that_is_acknowledged_arrives_once_and_everything_finishes) {
  const SimReport report = sweep_worlds(500);
  EXPECT_TRUE(report) << report.text();
  std::cout << report.text();
}

}  // namespace
}  // namespace meari::worlds
