// pickle.cpp -- interprets a saved tensor's pickle; its objects are data in one list.
#include <cstring>
#include <deque>
#include <initializer_list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "files/opcodes.h"
#include "files/pickle.h"
#include "graph/error.h"
#include "graph/printable.h"

namespace rt::files {
namespace {

enum class What : uint8_t {
  None,
  Flag,
  Number,
  Text,
  Tuple,
  List,
  Dict,
  Set,
  Plain,  ///< an object that occurs in attributes alone; its value is not kept
  Storage,
  Tensor,
  Module,
  // Classes and functions.
  StorageClass,
  TorchType,
  TensorClass,
  RebuildTensor1,
  RebuildTensor2,
  RebuildTensor3,
  RebuildParameter,
  RebuildFromType,
  OrderedDict,
  Size,
  MakePlain,
  ModuleClass,
};

constexpr const char* name(What what) {
  switch (what) {
    case What::None: return "None";
    case What::Flag: return "a bool";
    case What::Number: return "a number";
    case What::Text: return "a string";
    case What::Tuple: return "a tuple";
    case What::List: return "a list";
    case What::Dict: return "a dict";
    case What::Set: return "a set";
    case What::Plain: return "a plain object";
    case What::Storage: return "a storage";
    case What::Tensor: return "a tensor";
    case What::Module: return "a module";
    default: return "a class or function";
  }
}

/// Names in the pickles of tensors and of their attributes. The table of elements has torch's
/// storages and dtypes. Protocol 2 names builtins as Python 2 does, __builtin__.
struct Known {
  std::string_view module, name;
  What what;
};
constexpr Known kKnown[] = {
    {"torch._utils", "_rebuild_tensor", What::RebuildTensor1},
    {"torch._utils", "_rebuild_tensor_v2", What::RebuildTensor2},
    {"torch._utils", "_rebuild_tensor_v3", What::RebuildTensor3},
    {"torch._utils", "_rebuild_parameter", What::RebuildParameter},
    {"torch._utils", "_rebuild_parameter_with_state", What::RebuildParameter},
    {"torch._tensor", "_rebuild_from_type_v2", What::RebuildFromType},
    {"torch", "Tensor", What::TensorClass},
    {"torch.nn.parameter", "Parameter", What::TensorClass},
    {"torch.nn.parameter", "Buffer", What::TensorClass},
    {"torch", "Size", What::Size},
    {"torch", "device", What::MakePlain},
    {"torch.serialization", "_get_layout", What::MakePlain},
    {"collections", "OrderedDict", What::OrderedDict},
    {"collections", "Counter", What::MakePlain},
    {"_codecs", "encode", What::MakePlain},
    {"builtins", "bytearray", What::MakePlain},
    {"builtins", "complex", What::MakePlain},
    {"builtins", "frozenset", What::MakePlain},
    {"builtins", "set", What::MakePlain},
    {"__builtin__", "bytearray", What::MakePlain},
    {"__builtin__", "complex", What::MakePlain},
    {"__builtin__", "frozenset", What::MakePlain},
    {"__builtin__", "set", What::MakePlain},
    {"__torch__", "Module", What::ModuleClass},
};

/// Kinds of tensors that this library lacks, by the function of torch._utils that rebuilds them.
struct Foreign {
  std::string_view maker, what;
};
constexpr Foreign kForeign[] = {
    {"_rebuild_sparse_tensor", "a sparse tensor; save tensor.to_dense()"},
    {"_rebuild_qtensor", "a quantized tensor; save tensor.dequantize()"},
    {"_rebuild_nested_tensor", "a nested tensor; save tensor.to_padded_tensor(0)"},
    {"_rebuild_meta_tensor_no_storage", "a tensor on the device meta, which has no values"},
    {"_rebuild_wrapper_subclass", "a tensor of a class that keeps its values elsewhere"},
    {"_rebuild_device_tensor_from_numpy", "a tensor of a device of its own; save tensor.cpu()"},
    {"_rebuild_device_tensor_from_cpu_tensor",
     "a tensor of a device of its own; save tensor.cpu()"},
};

/// The index of an object in objects_. Objects refer to each other by indices alone, so that a
/// pickle with cycles is no problem and deep nesting costs no stack.
using Id = uint32_t;

/// Bounds the memory of a read. A tensor and its attributes have few objects.
constexpr size_t kMaxObjects = 1 << 16;

struct Object {
  What what;
  bool negated = false;     ///< of a Tensor
  int64_t number = 0;       ///< of a Number, a Flag; elements of a Storage; offset of a Tensor
  std::string_view text{};  ///< of a Text; the key of a Storage
  const Element* element = nullptr;  ///< of a StorageClass, a Storage, a TorchType, a Tensor
  /// Items of a Tuple or List; keys and values in turn of a Dict; state of a Module; storage, sizes
  /// and strides of a Tensor.
  std::vector<Id> items{};
};

class Machine {
 public:
  explicit Machine(std::string_view pickle) : in_(pickle) {}
  PickledTensor run();

 private:
  // Reading.
  std::string_view take(uint64_t bytes);
  std::string_view line();
  template <class Number>
  Number number();
  template <class Length>
  std::string_view counted() {
    return take(number<Length>());
  }

  // Objects and the stack.
  void push(Object object);
  void push(What what, int64_t number = 0) { push(Object{.what = what, .number = number}); }
  void push_text(std::string_view text) { push(Object{.what = What::Text, .text = text}); }
  void push_items(What what, std::vector<Id> items) {
    push(Object{.what = what, .items = std::move(items)});
  }
  Id top();
  Id pop();
  std::vector<Id> pop(size_t count);
  std::vector<Id> pop_to_mark();
  const Object& wanted(Id id, What what, const char* use) const;
  Object& changeable(What what, const char* use);

  // Opcodes.
  bool step();
  void push_global(std::string_view module, std::string_view name);
  void push_stack_global();
  void push_long(std::string_view bytes);
  void push_storage();
  void reduce();
  void make_object();
  void build();
  void put(uint64_t index);
  void get(uint32_t index);
  void append(const std::vector<Id>& items);
  void set(const std::vector<Id>& items);

  Object rebuilt_tensor(What how, const std::vector<Id>& parts) const;
  bool is_negated(Id metadata, const Element& element) const;
  void check_attributes(Id state) const;
  Shape shape(Id id) const;
  PickledTensor tensor(const Object& object) const;
  PickledTensor result();

  std::string_view in_;
  size_t at_ = 0;
  std::deque<Object> objects_;  ///< a deque, because references must survive a push
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, Id> memo_;
};

// ---- Reading.

std::string_view Machine::take(uint64_t bytes) {
  if (bytes > in_.size() - at_) fail("ends in the middle of an opcode");
  at_ += bytes;
  return in_.substr(at_ - bytes, bytes);
}

std::string_view Machine::line() {
  const size_t end = in_.find('\n', at_);
  if (end == std::string_view::npos) fail("ends in the middle of a name");
  const std::string_view text = take(end - at_);
  ++at_;
  return text;
}

template <class Number>
Number Machine::number() {
  Number value;
  std::memcpy(&value, take(sizeof value).data(), sizeof value);
  return value;
}

// ---- Objects and the stack.

void Machine::push(Object object) {
  if (objects_.size() == kMaxObjects)
    fail("has more than ", kMaxObjects,
         " objects, more than one tensor needs; save tensor.detach()",
         ".clone(), which has no attributes");
  objects_.push_back(std::move(object));
  stack_.push_back(static_cast<Id>(objects_.size() - 1));
}

Id Machine::top() {
  const Id id = pop();
  stack_.push_back(id);
  return id;
}

Id Machine::pop() { return pop(1)[0]; }

std::vector<Id> Machine::pop(size_t count) {
  const size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - bottom < count) fail("takes more from the stack than it has");
  std::vector<Id> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return items;
}

std::vector<Id> Machine::pop_to_mark() {
  if (marks_.empty()) fail("needs a mark on the stack, which has none");
  std::vector<Id> items = pop(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

const Object& Machine::wanted(Id id, What what, const char* use) const {
  const Object& object = objects_[id];
  if (object.what != what) fail("has ", name(object.what), " in place of ", use);
  return object;
}

/// The object on top of the stack, to be given more items. It stays on the stack.
Object& Machine::changeable(What what, const char* use) {
  const Id id = top();
  wanted(id, what, use);
  return objects_[id];
}

// ---- Opcodes.

void Machine::push_global(std::string_view module, std::string_view name) {
  for (const Known& known : kKnown)
    if (known.module == module && known.name == name) return push(known.what);
  const bool torch = module == "torch";
  if (const Element* element = find_by_storage(name); element && torch)
    return push(Object{.what = What::StorageClass, .element = element});
  if (const Element* element = find_by_torch(name); element && torch)
    return push(Object{.what = What::TorchType, .element = element});
  // An untyped storage holds bytes; the call that rebuilds the tensor names its dtype.
  if (name == "UntypedStorage" && (torch || module == "torch.storage"))
    return push(Object{.what = What::StorageClass, .element = find_by_torch("uint8")});
  for (const Foreign& foreign : kForeign)
    if (foreign.maker == name && module == "torch._utils")
      fail("holds what ", module, '.', name, " makes: ", foreign.what);
  fail("names ", printable(module), '.', printable(name),
       ", which is no part of a tensor; nothing is called; save the tensor alone");
}

void Machine::push_stack_global() {
  const Id name = pop(), module = pop();
  push_global(wanted(module, What::Text, "the name of a module").text,
              wanted(name, What::Text, "a name in a module").text);
}

/// `bytes` is in two's complement, the lowest byte first.
void Machine::push_long(std::string_view bytes) {
  int64_t value = 0;
  if (bytes.size() > sizeof value) return push(What::Plain);
  // The missing high bytes repeat the sign.
  if (!bytes.empty() && static_cast<signed char>(bytes.back()) < 0) value = -1;
  std::memcpy(&value, bytes.data(), bytes.size());
  push(What::Number, value);
}

/// The name is ("storage", class, key, device, elements). The device is that of the tensor when it
/// was saved, and is ignored.
void Machine::push_storage() {
  const std::vector<Id>& parts = wanted(pop(), What::Tuple, "the name of a storage").items;
  if (parts.size() != 5 || wanted(parts[0], What::Text, "a sort of object").text != "storage")
    fail("refers to an external object that is not a storage");
  Object storage{.what = What::Storage};
  storage.element = wanted(parts[1], What::StorageClass, "the class of a storage").element;
  storage.text = wanted(parts[2], What::Text, "the key of a storage").text;
  storage.number = wanted(parts[4], What::Number, "the size of a storage").number;
  if (storage.number < 0) fail("has a storage of ", storage.number, " elements");
  push(std::move(storage));
}

void Machine::reduce() {
  Id arguments = pop(), callable = pop();
  // The call that rebuilds a tensor of a subclass contains the call that rebuilds its values.
  while (objects_[callable].what == What::RebuildFromType) {  // (function, class, arguments, state)
    const std::vector<Id>& parts = wanted(arguments, What::Tuple, "arguments").items;
    if (parts.size() != 4)
      fail("makes a tensor of a class from ", parts.size(), " arguments, not 4");
    wanted(parts[1], What::TensorClass, "the class of a tensor");
    check_attributes(parts[3]);
    callable = parts[0];
    arguments = parts[2];
  }
  const std::vector<Id>& parts = wanted(arguments, What::Tuple, "arguments").items;
  switch (const What how = objects_[callable].what) {
    case What::RebuildTensor1:
    case What::RebuildTensor2:
    case What::RebuildTensor3: return push(rebuilt_tensor(how, parts));
    case What::RebuildParameter:  // (tensor, requires_grad, hooks), perhaps with a state
      if (parts.size() != 3 && parts.size() != 4)
        fail("makes a parameter from ", parts.size(), " arguments where 3 are needed");
      wanted(parts[0], What::Tensor, "the data of a parameter");
      if (parts.size() == 4) check_attributes(parts[3]);
      return stack_.push_back(parts[0]);
    case What::OrderedDict:
      if (!parts.empty()) fail("makes an OrderedDict in a way that tensors do not need");
      return push(What::Dict);
    case What::Size:
      if (parts.size() != 1) fail("makes a torch.Size from ", parts.size(), " arguments, not 1");
      wanted(parts[0], What::Tuple, "sizes");
      return stack_.push_back(parts[0]);
    case What::MakePlain: return push(What::Plain);
    default: fail("calls ", name(objects_[callable].what), ", which cannot be called");
  }
}

void Machine::make_object() {
  wanted(pop(), What::Tuple, "arguments");
  wanted(pop(), What::ModuleClass, "a class to make an object of");
  push(What::Module);
}

/// A dict's state is dropped, because it holds Python attributes of the dict and no items.
void Machine::build() {
  const Id state = pop();
  wanted(state, What::Dict, "the state of a module");
  if (objects_[top()].what == What::Dict) return;
  changeable(What::Module, "an object with a state").items = {state};
}

void Machine::put(uint64_t index) {
  if (memo_.size() == kMaxObjects) fail("stores more than ", kMaxObjects, " objects");
  memo_[index] = top();
}

void Machine::get(uint32_t index) {
  const auto found = memo_.find(index);
  if (found == memo_.end()) fail("uses object ", index, " before it is stored");
  stack_.push_back(found->second);
}

void Machine::append(const std::vector<Id>& items) {
  std::vector<Id>& list = changeable(What::List, "a list to append to").items;
  list.insert(list.end(), items.begin(), items.end());
}

void Machine::set(const std::vector<Id>& items) {
  if (items.size() % 2 != 0) fail("has a key without a value");
  std::vector<Id>& dict = changeable(What::Dict, "a dict to put items in").items;
  dict.insert(dict.end(), items.begin(), items.end());
}

/// Runs one opcode. False at the end.
bool Machine::step() {
  const auto opcode = static_cast<Opcode>(take(1)[0]);
  switch (opcode) {
    case Opcode::Proto: take(1); break;
    case Opcode::Frame: number<uint64_t>(); break;
    case Opcode::Stop: return false;
    case Opcode::Mark: marks_.push_back(stack_.size()); break;
    case Opcode::Global: {
      const std::string_view module = line();
      push_global(module, line());
      break;
    }
    case Opcode::StackGlobal: push_stack_global(); break;
    case Opcode::Reduce: reduce(); break;
    case Opcode::Build: build(); break;
    case Opcode::NewObject: make_object(); break;
    case Opcode::PersistentId: push_storage(); break;
    case Opcode::None: push(What::None); break;
    case Opcode::True: push(What::Flag, 1); break;
    case Opcode::False: push(What::Flag, 0); break;
    case Opcode::Int1: push(What::Number, number<uint8_t>()); break;
    case Opcode::Int2: push(What::Number, number<uint16_t>()); break;
    case Opcode::Int4: push(What::Number, number<int32_t>()); break;
    case Opcode::Long: push_long(counted<uint8_t>()); break;
    case Opcode::LongLong: push_long(counted<uint32_t>()); break;
    case Opcode::Float: take(sizeof(double)), push(What::Plain); break;
    case Opcode::Text: push_text(counted<uint32_t>()); break;
    case Opcode::ShortText:
    case Opcode::ShortString: push_text(counted<uint8_t>()); break;
    case Opcode::LongText: push_text(counted<uint64_t>()); break;
    case Opcode::ShortBytes: counted<uint8_t>(), push(What::Plain); break;
    case Opcode::Bytes: counted<uint32_t>(), push(What::Plain); break;
    case Opcode::LongBytes:
    case Opcode::ByteArray: counted<uint64_t>(), push(What::Plain); break;
    case Opcode::EmptyTuple: push(What::Tuple); break;
    case Opcode::Tuple: push_items(What::Tuple, pop_to_mark()); break;
    case Opcode::Tuple1: push_items(What::Tuple, pop(1)); break;
    case Opcode::Tuple2: push_items(What::Tuple, pop(2)); break;
    case Opcode::Tuple3: push_items(What::Tuple, pop(3)); break;
    case Opcode::EmptyList: push(What::List); break;
    case Opcode::Append: append(pop(1)); break;
    case Opcode::Appends: append(pop_to_mark()); break;
    case Opcode::EmptyDict: push(What::Dict); break;
    case Opcode::SetItem: set(pop(2)); break;
    case Opcode::SetItems: set(pop_to_mark()); break;
    case Opcode::EmptySet: push(What::Set); break;
    case Opcode::AddItems: pop_to_mark(), changeable(What::Set, "a set to add to"); break;
    case Opcode::FrozenSet: pop_to_mark(), push(What::Set); break;
    case Opcode::Put: put(number<uint8_t>()); break;
    case Opcode::LongPut: put(number<uint32_t>()); break;
    case Opcode::Memoize: put(memo_.size()); break;
    case Opcode::Get: get(number<uint8_t>()); break;
    case Opcode::LongGet: get(number<uint32_t>()); break;
    default:
      fail("has the opcode ", static_cast<int>(static_cast<uint8_t>(opcode)), " at byte ", at_ - 1,
           ", which pickles of tensors do not use");
  }
  return true;
}

// ---- Tensors.

Shape Machine::shape(Id id) const {
  constexpr size_t kMaxDims = 64;
  const Object& tuple = wanted(id, What::Tuple, "sizes or strides");
  if (tuple.items.size() > kMaxDims) fail("has a tensor of ", tuple.items.size(), " dimensions");
  Shape shape;
  for (const Id item : tuple.items)
    shape.push_back(wanted(item, What::Number, "a size or stride").number);
  return shape;
}

/// Throws unless every element of `layout` lies within a storage of `elements` elements.
void check(const Layout& layout, int64_t elements) {
  constexpr int64_t kWidest = 8;  // bytes of the widest element
  const auto refuse = [&](const char* why) {
    fail("has a tensor of the sizes ", to_string(layout.sizes), " and strides ",
         to_string(layout.strides), " from element ", layout.offset, " of a storage of ", elements,
         " elements: ", why);
  };
  if (layout.sizes.size() != layout.strides.size()) refuse("there must be a stride for each size");
  const auto count = checked_numel(layout.sizes);
  int64_t bytes;
  if (!count || __builtin_mul_overflow(*count, kWidest, &bytes)) refuse("no tensor has such sizes");
  if (layout.offset < 0 || layout.offset > elements) refuse("it begins outside of the storage");
  int64_t last = layout.offset;
  for (uint32_t d = 0; d < layout.sizes.size(); ++d) {
    int64_t steps;
    if (layout.strides[d] < 0) refuse("strides must not be negative");
    if (*count == 0) continue;
    if (__builtin_mul_overflow(layout.sizes[d] - 1, layout.strides[d], &steps) ||
        __builtin_add_overflow(last, steps, &last))
      refuse("it ends outside of the storage");
  }
  if (*count > 0 && last >= elements) refuse("it ends outside of the storage");
}

/// `metadata` lists the operations that PyTorch has put off and that the stored elements lack.
/// Throws for all but "neg".
bool Machine::is_negated(Id metadata, const Element& element) const {
  if (objects_[metadata].what == What::None) return false;
  bool negated = false;
  const std::vector<Id>& items = wanted(metadata, What::Dict, "the metadata of a tensor").items;
  for (size_t i = 0; i < items.size(); i += 2) {
    const std::string_view key = wanted(items[i], What::Text, "a name in metadata").text;
    if (key != "neg" || element.held == DType::Bool ||
        !wanted(items[i + 1], What::Flag, "the metadata neg").number)
      fail("has a tensor with the metadata ", printable(key),
           ", which its type does not have; save tensor.resolve_conj().resolve_neg().clone()");
    negated = true;
  }
  return negated;
}

/// Throws where an attribute replaces the tensor's elements. Others are ignored.
void Machine::check_attributes(Id state) const {
  std::vector<Id> parts = {state};
  if (objects_[state].what == What::Tuple) parts = objects_[state].items;  // (dict, slots)
  for (const Id part : parts) {
    if (objects_[part].what == What::None) continue;
    const std::vector<Id>& items = wanted(part, What::Dict, "the attributes of a tensor").items;
    for (size_t i = 0; i < items.size(); i += 2)
      for (const std::string_view name : {"data", "real", "imag"})
        if (wanted(items[i], What::Text, "the name of an attribute").text == name)
          fail("gives its tensor the attribute ", name, ", which changes what its elements are");
  }
}

/// The parts of version 1 are (storage, offset, sizes, strides). Version 2 adds requires_grad and
/// hooks, which do not change the elements. Version 3 adds the dtype as which the storage's bytes
/// are read. Versions 2 and 3 may end with metadata.
Object Machine::rebuilt_tensor(What how, const std::vector<Id>& parts) const {
  const size_t needed = how == What::RebuildTensor1 ? 4 : how == What::RebuildTensor2 ? 6 : 7;
  const bool more = how != What::RebuildTensor1 && parts.size() == needed + 1;
  if (parts.size() != needed && !more)
    fail("makes a tensor from ", parts.size(), " arguments where ", needed, " are needed");
  const Object& storage = wanted(parts[0], What::Storage, "the storage of a tensor");
  Object object{.what = What::Tensor, .element = storage.element};
  object.number = wanted(parts[1], What::Number, "the offset of a tensor").number;
  object.items = {parts[0], parts[2], parts[3]};
  if (needed > 4) wanted(parts[4], What::Flag, "requires_grad");
  if (how == What::RebuildTensor3)
    object.element = wanted(parts[6], What::TorchType, "the type of a tensor").element;
  if (more) object.negated = is_negated(parts[needed], *object.element);
  tensor(object);
  return object;
}

PickledTensor Machine::tensor(const Object& object) const {
  const Object& storage = objects_[object.items[0]];
  PickledTensor tensor;
  tensor.element = object.element;
  tensor.key = storage.text;
  tensor.negated = object.negated;
  tensor.elements = storage.number;
  if (object.element != storage.element) {
    int64_t bits;
    if (__builtin_mul_overflow(storage.number, storage.element->bits, &bits) ||
        bits % object.element->bits != 0)
      fail("has a storage of ", storage.number, " elements of ", storage.element->bits,
           " bits for a tensor of ", object.element->bits, "-bit elements");
    tensor.elements = bits / object.element->bits;
  }
  tensor.layout = {shape(object.items[1]), shape(object.items[2]), object.number};
  check(tensor.layout, tensor.elements);
  const bool empty = numel(tensor.layout.sizes) == 0;
  if (empty) tensor.layout = {tensor.layout.sizes, contiguous_strides(tensor.layout.sizes), 0};
  return tensor;
}

/// torch.save pickles the tensor itself, and torch::save a module that has it under "0".
PickledTensor Machine::result() {
  const Object* top = &objects_[pop()];
  const bool module = top->what == What::Module;
  const std::vector<Id>& items =
      module && !top->items.empty() ? objects_[top->items[0]].items : top->items;
  if (module && items.size() == 2 && wanted(items[0], What::Text, "a name in a module").text == "0")
    top = &objects_[items[1]];
  if (top->what == What::Tensor) return tensor(*top);
  const bool keyed = top->what == What::Dict || top->what == What::Module;
  const bool counted = keyed || top->what == What::List || top->what == What::Tuple;
  fail("holds ", name(top->what),
       counted ? join(" of ", items.size() / (keyed ? 2 : 1)) : std::string(),
       " where one tensor is needed; save each tensor to a file of its own");
}

PickledTensor Machine::run() {
  while (step()) {
  }
  return result();
}

}  // namespace

PickledTensor read_pickle(std::string_view pickle) { return Machine(pickle).run(); }

}  // namespace rt::files
