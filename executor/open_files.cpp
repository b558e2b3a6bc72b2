// open_files.cpp -- files that clients hold by handles.
#include "executor/open_files.h"

#include "executor/engine.h"

namespace rt {

int64_t OpenFiles::add(CallContext&, OpenFile file) {
  engine_.count(Counter::calls);
  engine_.handles.make_room();
  return engine_.handles.add(HandleKind::File, files_.add(std::move(file)));
}

OpenFile OpenFiles::at(CallContext&, int64_t handle) {
  engine_.count(Counter::calls);
  return files_[engine_.handles.at(handle, HandleKind::File).value];
}

void OpenFiles::close(CallContext&, int64_t handle) {
  engine_.count(Counter::calls);
  const Value index = engine_.handles.at(handle, HandleKind::File).value;
  OpenFile closed = files_[index];
  files_.remove(index);
  engine_.handles.remove(handle);
  const Unlocked unlocked(engine_);
  closed.reset();
}

}  // namespace rt
