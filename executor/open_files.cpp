// open_files.cpp -- files that clients hold by handles.
#include "executor/engine.h"

namespace rt {

int64_t Engine::add_file(Turn&, OpenFile file) {
  count(Counter::calls);
  return handles_.add(HandleKind::File, files_.add(std::move(file)));
}

OpenFile Engine::file(Turn&, int64_t handle) {
  count(Counter::calls);
  return files_[handles_.at(handle, HandleKind::File).value];
}

void Engine::close_file(Turn&, int64_t handle) {
  count(Counter::calls);
  files_.remove(handles_.at(handle, HandleKind::File).value);
  handles_.remove(handle);
}

}  // namespace rt
