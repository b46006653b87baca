#include <future>
#include <system_error>
#include <thread>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>

namespace meari {
inline namespace v1 {
namespace {

BackendChoice choice_for(std::string_view name) noexcept {
  if (name == "uring") return BackendChoice::uring;
  if (name == "uring-floor") return BackendChoice::uring_floor;
  if (name == "iocp") return BackendChoice::iocp;
  return BackendChoice::epoll;
}

Task<> wait_for_stop() { co_await sleep_until(never); }

}  // namespace

// The loop lives and dies on the thread that turns it.
struct Workers::Thread {
  // post() lets go of the loop before what was posted can end it; stop() would not.
  struct Stop : Posted {
    Stop() noexcept {
      run = [](Ready&) { Loop::current()->stop(); };
    }
  };

  explicit Thread(BackendChoice choice) : thread([this, choice] { work(choice); }) {}
  ~Thread() {
    if (loop != nullptr) loop->post(static_cast<Posted&>(stop));
    thread.join();
  }

  void work(BackendChoice choice) {
    LoopOptions options;
    options.backend.choice = choice;
    Result<std::unique_ptr<Loop>> made = Loop::make(std::move(options));
    if (!made) return ready.set_value(made.error());
    ready.set_value(made->get());
    static_cast<void>((*made)->block_on(wait_for_stop));
  }

  Stop stop;
  Loop* loop = nullptr;
  std::promise<Result<Loop*>> ready;
  std::thread thread;
};

Workers::Workers() noexcept = default;
Workers::Workers(Workers&&) noexcept = default;
Workers& Workers::operator=(Workers&&) noexcept = default;
Workers::~Workers() = default;

Result<Workers> Workers::beside(Loop& loop, std::size_t count) {
  Workers workers;
  const BackendChoice choice = choice_for(loop.backend().name());
  for (std::size_t i = 0; i < count; ++i) {
    Error failed;
    const std::exception_ptr exception = caught([&] {
      auto thread = std::make_unique<Thread>(choice);
      const Result<Loop*> made = thread->ready.get_future().get();
      if (!made) {
        failed = made.error();
        return;
      }
      thread->loop = *made;
      workers.loops_.push_back(*made);
      workers.threads_.push_back(std::move(thread));
    });
    if (exception) return Error(Errc::system, "start a thread");
    if (failed) return failed;
  }
  return workers;
}

}  // namespace v1
}  // namespace meari
