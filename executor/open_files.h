// open_files.h -- files that clients hold by handles.
#pragma once
#include <memory>
#include <string>

#include "executor/slots.h"

namespace rt {

class Engine;
struct CallContext;
namespace files {
class Safetensors;
}
using OpenFile = std::shared_ptr<const files::Safetensors>;

/// Functions with a handle throw Error where that is no open file. A file that is being read is
/// closed when the read has ended.
class OpenFiles {
 public:
  explicit OpenFiles(Engine& engine) : engine_(engine) {}

  int64_t add(CallContext& context, OpenFile file);
  OpenFile at(CallContext& context, int64_t handle);
  void close(CallContext& context, int64_t handle);  ///< releases the lock to close it
  const OpenFile& operator[](Value index) const { return files_[index]; }

 private:
  Engine& engine_;
  Slots<OpenFile> files_;
};

}  // namespace rt
