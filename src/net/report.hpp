// What observers are told of a slot.
#pragma once

#include <meari/loop.hpp>
#include <meari/observer.hpp>

namespace meari {
inline namespace v1 {

// An Event about a slot, with its number, descriptor and addresses filled in. Asks the system: only for observers.
[[nodiscard]] Event event_of(Loop& loop, SlotId slot, Event::What what);
// An operation failed; cancels are not told.
void report_failure(const Operation& operation, const char* what);

}  // namespace v1
}  // namespace meari
