#include "src/backend/pool.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace meari {
inline namespace v1 {

namespace {
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t idle_slabs_kept = 8;  // 2 MiB: a burst's memory goes back to the system, a turn's does not
}  // namespace

Pool::Pool(std::size_t budget_bytes) noexcept : slabs_(std::max<std::size_t>(budget_bytes / slab_bytes, 2)) {}

Pool::~Pool() {
  if (open_ != nullptr && --open_->references == 0) put(*open_);
  if (out_ != 0) broken("a Chunk outlived the loop that it belongs to");
  while (free_ != nullptr) destroy(*std::exchange(free_, free_->next));
}

Slab* Pool::take() noexcept {
  if (out_ == slabs_) return nullptr;
  Slab* slab = free_;
  if (slab != nullptr) {
    free_ = std::exchange(slab->next, nullptr);
    --idle_;
  } else {
    auto* memory = static_cast<std::byte*>(::operator new(slab_bytes, std::align_val_t{page_bytes}, std::nothrow));
    if (memory == nullptr) return nullptr;
    slab = new (std::nothrow) Slab{0, slab_bytes, this, memory, nullptr};
    if (slab == nullptr) {
      ::operator delete(memory, std::align_val_t{page_bytes});
      return nullptr;
    }
  }
  slab->references = 1;
  ++out_;
  return slab;
}

std::span<std::byte> Pool::room_in_the_next() noexcept {
  if (open_ != nullptr) {
    Slab* full = std::exchange(open_, nullptr);
    if (--full->references == 0) put(*full);
  }
  open_ = take();
  filled_ = 0;
  if (open_ == nullptr) return {};
  return {open_->memory, slab_bytes};
}

std::size_t Pool::bytes_on_loan() const noexcept {
  const bool open_is_empty = open_ != nullptr && open_->references == 1;
  return (out_ - (open_is_empty ? 1 : 0)) * slab_bytes;
}

void Pool::put(Slab& slab) noexcept {
  MEARI_ASSERT(owner_ == std::thread::id{} || owner_ == std::this_thread::get_id());
  MEARI_ASSERT(out_ > 0);
  --out_;
  if (idle_ >= idle_slabs_kept) return destroy(slab);
  slab.next = free_;
  free_ = &slab;
  ++idle_;
}

void Pool::destroy(Slab& slab) noexcept {
  ::operator delete(slab.memory, std::align_val_t{page_bytes});
  delete &slab;
}

// An allocation of its own is one block: the header, then the bytes.
Slab* allocate_slab(std::size_t bytes) noexcept {
  if (bytes > std::numeric_limits<std::uint32_t>::max()) return nullptr;
  void* block = ::operator new(sizeof(Slab) + bytes, std::nothrow);
  if (block == nullptr) return nullptr;
  return new (block)
      Slab{1, static_cast<std::uint32_t>(bytes), nullptr, static_cast<std::byte*>(block) + sizeof(Slab), nullptr};
}

void recycle(Slab& slab) noexcept {
  if (slab.pool != nullptr) {
    static_cast<Pool*>(slab.pool)->put(slab);
  } else {
    ::operator delete(static_cast<void*>(&slab));
  }
}

Result<Chunk> Chunk::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) return Chunk{};
  Slab* slab = allocate_slab(bytes.size());
  if (slab == nullptr) return Errc::out_of_memory;
  std::memcpy(slab->memory, bytes.data(), bytes.size());
  return Chunk(slab, slab->memory, bytes.size());
}

void settle(Chunk& chunk, const Pool& pool) noexcept {
  if (!chunk.on_loan()) return;
  if (chunk.size() * 4 >= chunk.pins() && !pool.scarce()) return;
  Result<Chunk> copy = Chunk::copy_of(chunk.bytes());
  if (copy) chunk = std::move(*copy);
}

}  // namespace v1
}  // namespace meari
