// follow.cpp -- reports operators by libtorch's callbacks, for one thread and one run.
#include "executor/torchscript/follow.h"

#include <ATen/record_function.h>

#include <string>
#include <vector>

#include "graph/clock.h"
#include "graph/types.h"

namespace rt::torchscript {
namespace {

struct Operator {
  std::string name, about;
  int64_t start, end;
};
struct Followed {
  std::vector<Operator> operators;
  int depth = 0;
};
/// The operators of this thread's current run.
thread_local Followed* followed = nullptr;

/// The sizes of the tensors among the inputs: "[64,128] [128,32]".
std::string sizes_of(c10::ArrayRef<const c10::IValue> inputs) {
  std::string text;
  for (const c10::IValue& input : inputs) {
    if (!input.isTensor() || !input.toTensor().defined()) continue;
    if (!text.empty()) text += ' ';
    text += to_string(Sizes(input.toTensor().sizes()));
  }
  return text;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  if (followed->depth++ == 0) {
    followed->operators.push_back({function.name(), sizes_of(function.inputs()), 0, 0});
    followed->operators.back().start = now_ns();
  }
  return nullptr;
}

void end(const at::RecordFunction&, at::ObserverContext*) {
  if (--followed->depth == 0) followed->operators.back().end = now_ns();
}

}  // namespace

void follow(const plugin::Observer& observer, const std::function<void()>& body) {
  Followed here;
  {
    struct Callbacks {
      at::CallbackHandle handle =
          at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end)
                                         .needsInputs(true)
                                         .scopes({at::RecordScope::FUNCTION}));
      ~Callbacks() {
        at::removeCallback(handle);
        followed = nullptr;
      }
    };
    followed = &here;
    const Callbacks callbacks;
    body();
  }
  for (const Operator& one : here.operators)
    observer.ran(observer.to, one.name.c_str(), one.about.c_str(), one.start, one.end);
}

}  // namespace rt::torchscript
