// write_pickle.cpp -- the pickle of one tensor, as torch.save writes it.
#include "files/opcodes.h"
#include "files/pickle.h"
#include "graph/error.h"

namespace rt::files {
namespace {

class Writer {
 public:
  std::string text;

  void put(Opcode opcode) { text += static_cast<char>(opcode); }
  void put_global(std::string_view module, std::string_view name) {
    put(Opcode::Global);
    text += join(module, '\n', name, '\n');
  }
  void put_text(std::string_view value) {
    put(Opcode::Text);
    put_bytes(static_cast<uint32_t>(value.size()));
    text += value;
  }
  void put_number(int64_t value) {
    if (value >= 0 && value <= UINT8_MAX) {
      put(Opcode::Int1);
      put_bytes(static_cast<uint8_t>(value));
    } else if (value == static_cast<int32_t>(value)) {
      put(Opcode::Int4);
      put_bytes(static_cast<int32_t>(value));
    } else {
      put(Opcode::Long);
      put_bytes(static_cast<uint8_t>(sizeof value));
      put_bytes(value);
    }
  }
  void put_tuple(Sizes numbers) {
    put(Opcode::Mark);
    for (const int64_t number : numbers) put_number(number);
    put(Opcode::Tuple);
  }

 private:
  template <class Number>
  void put_bytes(Number number) {
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
};

}  // namespace

std::string write_pickle(const PickledTensor& tensor) {
  Writer out;
  out.put(Opcode::Proto);
  out.text += '\x02';
  out.put_global("torch._utils", "_rebuild_tensor_v2");
  out.put(Opcode::Mark);
  out.put(Opcode::Mark);
  out.put_text("storage");
  out.put_global("torch", tensor.element->storage);
  out.put_text(tensor.key);
  out.put_text("cpu");
  out.put_number(tensor.elements);
  out.put(Opcode::Tuple);
  out.put(Opcode::PersistentId);
  out.put_number(tensor.layout.offset);
  out.put_tuple(tensor.layout.sizes);
  out.put_tuple(tensor.layout.strides);
  out.put(Opcode::False);
  out.put_global("collections", "OrderedDict");
  out.put(Opcode::EmptyTuple);
  out.put(Opcode::Reduce);
  out.put(Opcode::Tuple);
  out.put(Opcode::Reduce);
  out.put(Opcode::Stop);
  return out.text;
}

}  // namespace rt::files
