// Where coroutine frames come from. A child Task is mostly an allocation, and frames of one size come and go all the
// time, so each thread keeps what was freed, by size, and gives it out again without a lock.
#include <cstddef>
#include <new>

#include <meari/task.hpp>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEARI_PLAIN_FRAMES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MEARI_PLAIN_FRAMES 1
#endif
#endif

namespace meari {
inline namespace v1 {

#if defined(MEARI_PLAIN_FRAMES)

// A sanitizer has to see every one.
void* allocate_frame(std::size_t bytes) noexcept { return ::operator new(bytes, std::nothrow); }
void free_frame(void* frame, std::size_t) noexcept { ::operator delete(frame); }

#else

namespace {

constexpr std::size_t grain = 16;    // malloc's own
constexpr std::size_t head = 8;      // what malloc keeps beside each: a frame of n * 16 + 8 bytes leaves nothing unused
constexpr std::size_t classes = 64;  // frames of up to 1 KiB are kept

struct Free {
  Free* next;
};
// Without a constructor or destructor, so that it costs nothing to reach and is there until the very end.
struct Kept {
  Free* first[classes];
  bool watched;  // somebody will give it back when the thread ends
  bool ended;
};
constinit thread_local Kept kept{};

struct Watch {
  ~Watch() {
    kept.ended = true;
    for (Free*& first : kept.first) {
      while (first != nullptr) {
        Free* free = first;
        first = free->next;
        ::operator delete(free);
      }
    }
  }
};

void watch() noexcept {
  static thread_local Watch at_thread_end;
  static_cast<void>(at_thread_end);
  kept.watched = true;
}

// Class n has room for n * grain + head bytes.
constexpr std::size_t class_of(std::size_t bytes) noexcept { return (bytes + grain - head - 1) / grain; }
static_assert(class_of(grain + head) == 1 && class_of(grain + head + 1) == 2);

}  // namespace

void* allocate_frame(std::size_t bytes) noexcept {
  const std::size_t size_class = class_of(bytes);
  if (size_class >= classes) return ::operator new(bytes, std::nothrow);
  if (Free* free = kept.first[size_class]) {
    kept.first[size_class] = free->next;
    return free;
  }
  return ::operator new(size_class * grain + head, std::nothrow);
}

void free_frame(void* frame, std::size_t bytes) noexcept {
  const std::size_t size_class = class_of(bytes);
  if (size_class >= classes || kept.ended) return ::operator delete(frame);
  if (!kept.watched) watch();
  kept.first[size_class] = ::new (frame) Free{kept.first[size_class]};
}

#endif

}  // namespace v1
}  // namespace meari
