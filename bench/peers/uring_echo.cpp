// Echo on plain io_uring, as fast as we can write it by hand: the other measure of all others.
//
//   uring_echo PORT
//
// Every connection has a multishot receive armed, which takes memory from one ring of buffers only when bytes come.
// One enter() hands over all sends of a turn and waits for the next news; a turn with one message in it answers on
// the spot, which is quicker than a detour through the ring. Buffers are consumed by the byte where the kernel can
// (incremental rings, from 6.12 on). Needs Linux 6.1.
//
// Sends do not wait in the kernel (MSG_DONTWAIT), so they are over when enter() returns and their buffers are free.
// What a peer does not take is copied to memory of its own, and that peer is not read from until it is gone: nobody
// who stops reading can keep the buffers from the others.
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peer.hpp"

namespace {

// What liburing 2.3 does not know yet.
constexpr unsigned ring_is_incremental = 2;   // IOU_PBUF_RING_INC
constexpr unsigned more_in_buffer = 1U << 4;  // IORING_CQE_F_BUF_MORE

constexpr std::uint32_t none = UINT32_MAX;

// The ring of buffers that receives take their memory from.
class Buffers {
 public:
  explicit Buffers(io_uring& ring) {
    if (!start(ring, ring_is_incremental, {.count = 16, .size = 64UL * 1024}) &&
        !start(ring, 0, {.count = 256, .size = 16UL * 1024}))
      peer::fail("io_uring_register_buf_ring");
  }

  struct Piece {
    std::uint32_t buffer = none;
    std::string_view bytes;
  };

  // What a completion brought; the buffer stays ours until release().
  Piece take(const io_uring_cqe& completion) {
    const std::uint32_t id = completion.flags >> IORING_CQE_BUFFER_SHIFT;
    Buffer& buffer = buffers_[id];
    const Piece piece{id, {memory_ + id * shape_.size + buffer.used, static_cast<std::size_t>(completion.res)}};
    buffer.used += piece.bytes.size();
    ++buffer.pieces;
    buffer.kernel = incremental_ && (completion.flags & more_in_buffer) != 0;
    return piece;
  }

  void release(std::uint32_t id) {
    Buffer& buffer = buffers_[id];
    if (--buffer.pieces == 0 && !buffer.kernel) {
      buffer.used = 0;
      buffer.kernel = true;
      add(id, added_++);
    }
  }

  // Gives the kernel what was released since the last time; true if that was something.
  bool hand_over() {
    if (added_ == 0) return false;
    io_uring_buf_ring_advance(ring_, added_);
    added_ = 0;
    return true;
  }

 private:
  struct Shape {
    unsigned count;
    std::size_t size;
  };
  struct Buffer {
    std::size_t used = 0;
    std::uint32_t pieces = 0;  // received, and not released yet
    bool kernel = true;        // the kernel may still write to it
  };

  static void* memory(std::size_t size) {
    void* const got = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) peer::fail("mmap");
    return got;
  }

  bool start(io_uring& ring, unsigned flags, Shape shape) {
    const std::size_t ring_size = shape.count * sizeof(io_uring_buf);
    ring_ = static_cast<io_uring_buf_ring*>(memory(ring_size));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
    registration.ring_entries = shape.count;
    registration.pad = static_cast<std::uint16_t>(flags);
    if (io_uring_register_buf_ring(&ring, &registration, 0) != 0) {
      ::munmap(ring_, ring_size);
      return false;
    }
    shape_ = shape;
    incremental_ = flags != 0;
    memory_ = static_cast<char*>(memory(shape.count * shape.size));
    buffers_.resize(shape.count);
    for (unsigned id = 0; id < shape.count; ++id) add(id, added_++);
    hand_over();
    return true;
  }

  void add(std::uint32_t id, int place) {
    io_uring_buf_ring_add(ring_, memory_ + id * shape_.size, static_cast<unsigned>(shape_.size),
                          static_cast<unsigned short>(id), io_uring_buf_ring_mask(shape_.count), place);
  }

  io_uring_buf_ring* ring_ = nullptr;
  char* memory_ = nullptr;
  Shape shape_{};
  bool incremental_ = false;
  std::vector<Buffer> buffers_;
  int added_ = 0;
};

// What a peer did not take at once.
struct Unsent {
  std::string flying;  // a send of it is in the kernel, which reads it until that completes
  std::size_t done = 0;
  std::string queued;  // what came meanwhile
};

struct Connection {
  std::unique_ptr<Unsent> unsent;
  std::uint32_t first = none;  // received and not sent, in order: places in Echo::parts_
  std::uint32_t last = none;
  std::uint32_t handed = 0;  // so many bytes of them are in a send that enter() will finish
  bool receiving = false;    // a receive is armed
  bool starving = false;     // it ended because there was no buffer
  bool ended = false;        // nothing more will be received
  bool broken = false;       // nothing more can be sent
  bool touched = false;      // is in Echo::touched_
};

class Echo {
 public:
  explicit Echo(int listener) : ring_(make_ring()), buffers_(ring_), listener_(listener) {}

  [[noreturn]] void run() {
    watch_listener();
    while (true) {
      const int code = io_uring_submit_and_wait(&ring_, 1);
      if (code < 0 && code != -EINTR && code != -EBUSY) peer::fail("io_uring_enter", -code);
      if (io_uring_sq_ready(&ring_) == 0) messages_used_ = 0;  // the kernel has read them
      received_ = 0;
      unsigned head = 0;
      unsigned count = 0;
      const io_uring_cqe* completion = nullptr;
      io_uring_for_each_cqe(&ring_, head, completion) {
        complete(*completion);
        ++count;
      }
      io_uring_cq_advance(&ring_, count);
      answer();
    }
  }

 private:
  enum class Kind : std::uint8_t { listener, receive, send, send_unsent, cancel };

  struct Part {
    Buffers::Piece piece;
    std::uint32_t next = none;
  };
  // An answer in several parts; a longer one takes several turns.
  struct Message {
    msghdr header{};
    std::array<iovec, 32> vectors;
    std::size_t size = 0;
  };

  static io_uring make_ring() {
    io_uring_params parameters{};
    parameters.flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    parameters.cq_entries = 16'384;
    io_uring ring{};
    const int code = io_uring_queue_init_params(2048, &ring, &parameters);
    if (code != 0) peer::fail("io_uring_setup", -code);
    return ring;
  }

  static std::uint64_t tag(Kind kind, int descriptor) {
    return static_cast<std::uint64_t>(kind) << 32 | static_cast<std::uint32_t>(descriptor);
  }
  io_uring_sqe* entry() {
    io_uring_sqe* sqe = nullptr;
    while ((sqe = io_uring_get_sqe(&ring_)) == nullptr) io_uring_submit(&ring_);
    return sqe;
  }
  Connection& connection(int descriptor) { return connections_[static_cast<std::size_t>(descriptor)]; }

  void watch_listener() {
    io_uring_sqe* sqe = entry();
    io_uring_prep_poll_multishot(sqe, listener_, POLLIN);
    sqe->user_data = tag(Kind::listener, listener_);
  }

  // `patient`: asks the socket only when bytes have come. Otherwise a receive without buffers would fail at once again.
  void receive(int descriptor, bool patient) {
    connection(descriptor).receiving = true;
    io_uring_sqe* sqe = entry();
    io_uring_prep_recv_multishot(sqe, descriptor, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    if (patient) sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe->user_data = tag(Kind::receive, descriptor);
  }

  void complete(const io_uring_cqe& completion) {
    const int descriptor = static_cast<int>(completion.user_data & UINT32_MAX);
    switch (static_cast<Kind>(completion.user_data >> 32)) {
      case Kind::listener:
        accept_all();
        if ((completion.flags & IORING_CQE_F_MORE) == 0) watch_listener();
        break;
      case Kind::receive: received(descriptor, completion); break;
      case Kind::send: sent(descriptor, completion.res); break;
      case Kind::send_unsent: sent_unsent(descriptor, completion.res); break;
      case Kind::cancel: break;  // the receive itself tells how it ended
    }
  }

  void accept_all() {
    int client = 0;
    while ((client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0) {
      if (connections_.size() <= static_cast<std::size_t>(client))
        connections_.resize(static_cast<std::size_t>(client) + 1);
      receive(client, false);
    }
    full_ = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
  }

  void received(int descriptor, const io_uring_cqe& completion) {
    Connection& peer = connection(descriptor);
    if ((completion.flags & IORING_CQE_F_MORE) == 0) peer.receiving = false;
    if (completion.res > 0) {
      ++received_;
      append(peer, buffers_.take(completion));
    } else if (completion.res == -ENOBUFS) {
      peer.starving = true;
      starving_.push_back(descriptor);
    } else if (completion.res != -ECANCELED && completion.res != -EINTR) {
      peer.ended = true;  // the end, or a reset
    }
    touch(descriptor);
  }

  void append(Connection& peer, const Buffers::Piece& piece) {
    if (peer.unsent || peer.broken) {
      if (peer.unsent) peer.unsent->queued.append(piece.bytes);
      return buffers_.release(piece.buffer);
    }
    if (peer.last != none) {
      Buffers::Piece& last = parts_[peer.last].piece;
      if (last.buffer == piece.buffer && last.bytes.data() + last.bytes.size() == piece.bytes.data()) {
        last.bytes = {last.bytes.data(), last.bytes.size() + piece.bytes.size()};
        return buffers_.release(piece.buffer);  // the two have become one
      }
    }
    if (free_parts_ == none) {
      free_parts_ = static_cast<std::uint32_t>(parts_.size());
      parts_.emplace_back();
    }
    const std::uint32_t place = free_parts_;
    free_parts_ = parts_[place].next;
    parts_[place] = {piece, none};
    (peer.last == none ? peer.first : parts_[peer.last].next) = place;
    peer.last = place;
  }

  void touch(int descriptor) {
    Connection& peer = connection(descriptor);
    if (peer.touched) return;
    peer.touched = true;
    touched_.push_back(descriptor);
  }

  // After all completions of a turn, so that everything that came for a connection goes out together.
  void answer() {
    for (std::size_t i = 0; i < touched_.size(); ++i) {  // may grow meanwhile
      const int descriptor = touched_[i];
      Connection& peer = connection(descriptor);
      peer.touched = false;
      if (peer.first != none && peer.handed == 0) send(descriptor, received_ == 1);
      settle(descriptor);
    }
    touched_.clear();
    if (!buffers_.hand_over()) return;
    for (const int descriptor : starving_) {
      Connection& peer = connection(descriptor);
      if (!peer.starving) continue;
      peer.starving = false;
      if (!peer.unsent && !peer.ended) receive(descriptor, true);
    }
    starving_.clear();
  }

  void send(int descriptor, bool at_once) {
    Connection& peer = connection(descriptor);
    const Part& first = parts_[peer.first];
    Message* message = first.next == none ? nullptr : &message_of(peer);
    const std::size_t size = message == nullptr ? first.piece.bytes.size() : message->size;
    constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    peer.handed = static_cast<std::uint32_t>(size);
    if (at_once) {
      const ssize_t count = message == nullptr ? ::send(descriptor, first.piece.bytes.data(), size, flags)
                                               : ::sendmsg(descriptor, &message->header, flags);
      return sent(descriptor, static_cast<int>(count < 0 ? -errno : count));
    }
    io_uring_sqe* sqe = entry();
    if (message == nullptr) {
      io_uring_prep_send(sqe, descriptor, first.piece.bytes.data(), size, flags);
    } else {
      io_uring_prep_sendmsg(sqe, descriptor, &message->header, flags);
    }
    sqe->user_data = tag(Kind::send, descriptor);
  }

  Message& message_of(const Connection& peer) {
    if (messages_used_ == messages_.size()) messages_.push_back(std::make_unique<Message>());
    Message& message = *messages_[messages_used_++];
    message.size = 0;
    std::size_t count = 0;
    for (std::uint32_t place = peer.first; place != none && count < message.vectors.size();
         place = parts_[place].next) {
      const std::string_view bytes = parts_[place].piece.bytes;
      message.vectors[count++] = {const_cast<char*>(bytes.data()), bytes.size()};
      message.size += bytes.size();
    }
    message.header = {};
    message.header.msg_iov = message.vectors.data();
    message.header.msg_iovlen = count;
    return message;
  }

  void sent(int descriptor, int result) {
    Connection& peer = connection(descriptor);
    const std::size_t handed = std::exchange(peer.handed, 0);
    if (result < 0 && result != -EAGAIN && result != -EINTR) return give_up(descriptor);
    const std::size_t count = result < 0 ? 0 : static_cast<std::size_t>(result);
    drop(peer, count);
    if (count < handed) {
      keep(descriptor);
    } else if (peer.first != none || peer.ended) {
      touch(descriptor);
    }
  }

  void drop(Connection& peer, std::size_t count) {
    while (peer.first != none) {
      Part& part = parts_[peer.first];
      if (count < part.piece.bytes.size()) {
        part.piece.bytes.remove_prefix(count);
        return;
      }
      count -= part.piece.bytes.size();
      buffers_.release(part.piece.buffer);
      const std::uint32_t place = std::exchange(peer.first, part.next);
      part.next = std::exchange(free_parts_, place);
    }
    peer.last = none;
  }

  // The peer takes nothing more: its answer moves out of the buffers, and it is not read from until it has taken it.
  void keep(int descriptor) {
    Connection& peer = connection(descriptor);
    peer.unsent = std::make_unique<Unsent>();
    for (std::uint32_t place = peer.first; place != none; place = parts_[place].next)
      peer.unsent->flying.append(parts_[place].piece.bytes);
    drop(peer, SIZE_MAX);
    if (peer.receiving) {
      io_uring_sqe* sqe = entry();
      io_uring_prep_cancel64(sqe, tag(Kind::receive, descriptor), 0);
      sqe->user_data = tag(Kind::cancel, descriptor);
    }
    send_unsent(descriptor);
  }

  void send_unsent(int descriptor) {
    const Unsent& unsent = *connection(descriptor).unsent;
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, descriptor, unsent.flying.data() + unsent.done, unsent.flying.size() - unsent.done,
                       MSG_NOSIGNAL);
    sqe->user_data = tag(Kind::send_unsent, descriptor);
  }

  void sent_unsent(int descriptor, int result) {
    Connection& peer = connection(descriptor);
    Unsent& unsent = *peer.unsent;
    if (result < 0 && result != -EINTR) return give_up(descriptor);
    unsent.done += static_cast<std::size_t>(std::max(result, 0));
    if (unsent.done == unsent.flying.size()) {
      unsent.flying = std::exchange(unsent.queued, {});
      unsent.done = 0;
    }
    if (!unsent.flying.empty()) return send_unsent(descriptor);
    peer.unsent.reset();
    touch(descriptor);
  }

  void give_up(int descriptor) {
    Connection& peer = connection(descriptor);
    drop(peer, SIZE_MAX);
    peer.unsent.reset();
    peer.broken = true;
    ::shutdown(descriptor, SHUT_RDWR);  // ends the receive
    touch(descriptor);
  }

  // Arms the receive again that keep() had ended, or closes a connection with which everything is over.
  void settle(int descriptor) {
    Connection& peer = connection(descriptor);
    if (peer.receiving || peer.unsent || peer.handed != 0 || peer.first != none) return;
    if (peer.ended || peer.broken) {
      peer = {};
      ::close(descriptor);
      if (full_) accept_all();
    } else if (!peer.starving) {
      receive(descriptor, false);
    }
  }

  io_uring ring_;
  Buffers buffers_;
  int listener_;
  bool full_ = false;                    // no descriptor was left
  unsigned received_ = 0;                // pieces, in this turn
  std::vector<Connection> connections_;  // by descriptor
  std::vector<int> touched_;
  std::vector<int> starving_;
  std::vector<Part> parts_;
  std::uint32_t free_parts_ = none;
  std::vector<std::unique_ptr<Message>> messages_;
  std::size_t messages_used_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  const int listener = peer::listen_on(count, arguments);
  Echo echo(listener);
  peer::announce(listener);
  echo.run();
}
