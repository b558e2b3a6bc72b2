// open_files.cpp -- files that clients hold by handles.
#include "executor/engine.h"

namespace rt {

int64_t Engine::add_file(CallContext&, OpenFile file) {
  count(Counter::calls);
  handles_.make_room();
  return handles_.add(HandleKind::File, files_.add(std::move(file)));
}

OpenFile Engine::file(CallContext&, int64_t handle) {
  count(Counter::calls);
  return files_[handles_.at(handle, HandleKind::File).value];
}

void Engine::close_file(CallContext&, int64_t handle) {
  count(Counter::calls);
  const Value number = handles_.at(handle, HandleKind::File).value;
  OpenFile closed = files_[number];
  files_.remove(number);
  handles_.remove(handle);
  const Unlocked unlocked(*this);
  closed.reset();
}

}  // namespace rt
