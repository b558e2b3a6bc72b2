// open_files.cpp -- files that clients hold by handles.
#include "executor/engine.h"

namespace rt {

int64_t Engine::add_file(Turn&, OpenFile file) {
  count(Counter::calls);
  const int64_t handle = handles_.add(HandleKind::File, Value{});
  files_[handle] = std::move(file);
  return handle;
}

OpenFile Engine::file(Turn&, int64_t handle) {
  count(Counter::calls);
  handles_.at(handle, HandleKind::File);
  return files_.at(handle);
}

void Engine::close_file(Turn&, int64_t handle) {
  count(Counter::calls);
  handles_.at(handle, HandleKind::File);
  handles_.remove(handle);
  files_.erase(handle);
}

}  // namespace rt
