// guide.cpp -- the comment at the head of the headers, in paragraphs.
#include "tools/abi_gen/guide.h"

#include <algorithm>

#include "graph/error.h"
#include "graph/types.h"

namespace rt::abi_gen {
namespace {

constexpr std::string_view kLazy = R"(
A call that computes records an op and returns a handle at once. Sizes, dtype and device of the
result are known then. Everything that a thread has recorded runs as one batch at the thread's next
force point, or when a limit is reached (the environment's RT_TORCH_MAX_PENDING_NODES and
RT_TORCH_MAX_PENDING_BYTES). Work that nothing needs may never run.)";

constexpr std::string_view kForcePoints = R"(
A force point is a call that submits what its thread has recorded. Calls that have no such line
below force nothing. There are:
- "Reads data": under each policy. It returns when the elements are there.
- "Submits": under each policy. It may return before the batch has run.
- "Submits and waits": under each policy. It returns when all that was submitted has run.
- "Asks for sizes": under the policy observe, when the value is pending.
- "Frees a tensor": under the policy observe, when the handle is the last holder of a pending value.
- Under the policy eager each op runs when it is recorded. The default policy is observe.)";

constexpr std::string_view kHandles = R"(
A handle above 0 stands for a tensor, an optimizer, a stream or an open file.
- Each handle that a call returns is new, and the caller frees it, once: with
rt_torch_torchtensor_free, rt_torch_optimizer_free, rt_torch_torchstream_free or
rt_torch_safetensors_close.
- Recorded work keeps what it needs: a tensor may be freed as soon as the caller is done with it.
- As a result, 0 says that the call failed.
- As an argument, 0 makes the call fail, unless the parameter's text says what 0 means.
- A handle that was freed is an error and does no harm.)";

constexpr std::string_view kErrors = R"(
A call that fails returns what its text says, and rt_torch_last_error has the message until
rt_torch_clear_error.
- A call that fails only because an argument is 0, or a value that has failed, leaves an earlier
message there: the message is the cause.
- Wrong sizes, dtypes, devices and other arguments fail at the call.
- Errors that depend on elements (a class out of range, a singular matrix) and lack of memory show
when the batch runs. Then the value has failed, and so has each value that depends on it. A call
that needs one of them fails, with the message of the call that is to blame. rt_torch_sync reports
each such failure, too.
- No call throws, exits, or prints unasked. The environment variable RT_TORCH_ON_ERROR, which is
print or abort, asks for it.)";

constexpr std::string_view kThreads = R"(
All calls may be made on any thread, and a handle may be used on any thread.
- Recorded work, the error, the newest text result, rt_torch_autograd_no_grad_begin and the source
location belong to the calling thread.
- Policy, backend, generators and counters belong to the library.
- A call that uses a value that is pending on another thread submits that thread's work.)";

constexpr std::string_view kTensors = R"(
Sizes are written as [N,C], 0-d is []. Tensors of one call are on one device; 0-d tensors on the CPU
fit any device. "Broadcast" and "promoted" have PyTorch's meaning. A float argument never changes
the dtype of a floating point tensor. Values never change: rt_torch_optimizer_step and
rt_torch_nn_batch_norm let handles stand for new values.)";

constexpr std::string_view kIntegers = R"(
All integers are int64_t. A flag is 0 or 1.
- Only the low 8 bits of a flag count, and only the low 32 of a code or of a device's index.
- A dtype code is one of rt_torch_dtype.
- A device code is below 0 for the CPU, as RT_TORCH_CPU, and N for CUDA device N. Parameters that
count otherwise say so.)";

}  // namespace

std::vector<Paragraph> guide(const Flavor& flavor) {
  return {{"Lazy calls", kLazy},
          {"Force points", kForcePoints},
          {"Handles", kHandles},
          {"Errors", kErrors},
          {"Threads", kThreads},
          {"Tensors", kTensors},
          {"Texts and lists", flavor.texts_and_lists},
          {"Integers and codes", kIntegers}};
}

std::vector<DTypeText> dtypes() {
  std::vector<DTypeText> all;
  for (int code = 0; code < kDTypes; ++code) {
    const auto dtype = static_cast<DType>(code);
    DTypeText text{long_name(name(dtype)), join("RT_TORCH_", name(dtype)), item_size(dtype)};
    std::ranges::transform(text.constant, text.constant.begin(),
                           [](char c) { return 'a' <= c && c <= 'z' ? c - 0x20 : c; });
    all.push_back(std::move(text));
  }
  return all;
}

std::string wrapped(std::string_view text, size_t first, std::string_view indent, size_t width) {
  std::string out;
  size_t column = first;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (!out.empty() && column + 1 + (end - at) > width) {
      out += join("\n", indent);
      column = indent.size();
    } else if (!out.empty()) {
      out += " ";
      ++column;
    }
    out.append(text, at, end - at);
    column += end - at;
    at = end + 1;
  }
  return out;
}

std::string with_items(std::string_view title, std::string_view text, std::string_view margin,
                       size_t width) {
  constexpr std::string_view kItem = "\n- ";
  text.remove_prefix(text.starts_with('\n') ? 1 : 0);
  std::string out;
  for (size_t at = 0; at != std::string_view::npos;) {
    const size_t next = text.find(kItem, at);
    const std::string_view block = text.substr(at, next - at);
    const bool is_item = at > 0;
    out += join(is_item ? "\n" : "", margin,
                wrapped(is_item ? std::string(block) : join(title, block), margin.size(),
                        join(margin, is_item ? "  " : ""), width));
    at = next == std::string_view::npos ? next : next + 1;
  }
  return out;
}

}  // namespace rt::abi_gen
