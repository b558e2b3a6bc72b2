// pickle.cpp -- a machine for the opcodes of a saved tensor; what they make is data in one list.
#include "files/pickle.h"

#include <bit>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "graph/error.h"

namespace rt::files {
namespace {

enum class Opcode : char {
  Proto = '\x80',
  Stop = '.',
  Mark = '(',
  Global = 'c',
  Reduce = 'R',
  Build = 'b',
  NewObject = '\x81',
  PersistentId = 'Q',
  None = 'N',
  True = '\x88',
  False = '\x89',
  Int1 = 'K',
  Int2 = 'M',
  Int4 = 'J',
  Long = '\x8a',
  Text = 'X',
  EmptyTuple = ')',
  Tuple = 't',
  Tuple1 = '\x85',
  Tuple2 = '\x86',
  Tuple3 = '\x87',
  EmptyList = ']',
  Append = 'a',
  Appends = 'e',
  EmptyDict = '}',
  SetItem = 's',
  SetItems = 'u',
  Put = 'q',
  LongPut = 'r',
  Get = 'h',
  LongGet = 'j',
};

enum class What : uint8_t {
  None,
  Flag,
  Number,
  Text,
  Tuple,
  List,
  Dict,
  Storage,
  Tensor,
  Module,
  StorageClass,
  RebuildTensor,
  RebuildParameter,
  OrderedDict,
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
    case What::Storage: return "a storage";
    case What::Tensor: return "a tensor";
    case What::Module: return "a module";
    default: return "a class or function";
  }
}

/// What the pickles of tensors name; torch's storages are in the table of elements.
struct Known {
  std::string_view module, name;
  What what;
};
constexpr Known kKnown[] = {
    {"torch._utils", "_rebuild_tensor_v2", What::RebuildTensor},
    {"torch._utils", "_rebuild_parameter", What::RebuildParameter},
    {"collections", "OrderedDict", What::OrderedDict},
    {"__torch__", "Module", What::ModuleClass},
};

/// An object by its place in the list of all. Objects name each other only so: a pickle may make
/// circles, and no depth of nesting costs stack.
using Id = uint32_t;

struct Object {
  What what;
  int64_t number = 0;                ///< of a Number, a Flag; of a Tensor, its place among tensors
  std::string_view text;             ///< of a Text
  const Element* element = nullptr;  ///< of a StorageClass
  std::vector<Id> items;  ///< of a Tuple, a List; keys and values in turn of a Dict, a Module
};

class Machine {
 public:
  explicit Machine(std::string_view pickle) : in_(pickle) {}
  PickledTensor run();

 private:
  // What is read.
  std::string_view take(size_t bytes);
  std::string_view line();
  template <class Number>
  Number number();

  // Objects and the stack.
  void push(Object object);
  void push(What what, int64_t number = 0) { push(Object{what, number, {}, nullptr, {}}); }
  void push_items(What what, std::vector<Id> items);
  Id pop();
  std::vector<Id> pop(size_t count);
  std::vector<Id> pop_to_mark();
  const Object& wanted(Id id, What what, const char* use) const;
  Object& changeable(What what, const char* use);

  // Opcodes.
  bool step();
  void push_global();
  void push_long();
  void push_storage();
  void reduce();
  void make_object();
  void build();
  void put(uint32_t place);
  void get(uint32_t place);
  void append(std::vector<Id> items);
  void set(const std::vector<Id>& items);

  Object rebuilt_tensor(const Object& arguments);
  Shape shape(Id id) const;
  PickledTensor result();

  std::string_view in_;
  size_t at_ = 0;
  std::vector<Object> objects_;
  std::vector<PickledTensor> tensors_;
  std::vector<Id> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, Id> memo_;
};

// ---- What is read.

std::string_view Machine::take(size_t bytes) {
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
  objects_.push_back(std::move(object));
  stack_.push_back(static_cast<Id>(objects_.size() - 1));
}

void Machine::push_items(What what, std::vector<Id> items) {
  push(Object{what, 0, {}, nullptr, std::move(items)});
}

Id Machine::pop() { return pop(1)[0]; }

std::vector<Id> Machine::pop(size_t count) {
  const size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() - bottom < count) fail("takes more from the stack than is there");
  std::vector<Id> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return items;
}

std::vector<Id> Machine::pop_to_mark() {
  if (marks_.empty()) fail("wants a mark on the stack where there is none");
  std::vector<Id> items = pop(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

const Object& Machine::wanted(Id id, What what, const char* use) const {
  const Object& object = objects_[id];
  if (object.what != what) fail("has ", name(object.what), " for ", use);
  return object;
}

/// The object on top, which stays there and is about to get more items.
Object& Machine::changeable(What what, const char* use) {
  const Id id = pop();
  stack_.push_back(id);
  wanted(id, what, use);
  return objects_[id];
}

// ---- Opcodes.

void Machine::push_global() {
  const std::string_view module = line(), global = line();
  for (const Known& known : kKnown)
    if (known.module == module && known.name == global) return push(known.what);
  if (const Element* element = find_by_storage(global); element && module == "torch")
    return push(Object{What::StorageClass, 0, {}, element, {}});
  fail("names ", module, ".", global, ", which the file of one tensor has no use for; nothing is ",
       "called, and only what tensors are made of is read");
}

void Machine::push_long() {
  const std::string_view bytes = take(number<uint8_t>());
  int64_t value = 0;
  if (bytes.size() > sizeof value) fail("has a number of more than 64 bits");
  // Two's complement, so that the highest byte says what those beyond it are.
  if (!bytes.empty() && bytes.back() < 0) value = -1;
  std::memcpy(&value, bytes.data(), bytes.size());
  push(What::Number, value);
}

/// ("storage", class, key, device, elements): the device is that of the tensor when it was saved.
void Machine::push_storage() {
  const std::vector<Id>& parts = wanted(pop(), What::Tuple, "the name of a storage").items;
  if (parts.size() != 5 || wanted(parts[0], What::Text, "a sort of object").text != "storage")
    fail("names an object outside that is no storage");
  Object storage{What::Storage, 0, {}, nullptr, {}};
  storage.element = wanted(parts[1], What::StorageClass, "the class of a storage").element;
  storage.text = wanted(parts[2], What::Text, "the key of a storage").text;
  storage.number = wanted(parts[4], What::Number, "the size of a storage").number;
  if (storage.number < 0) fail("has a storage of ", storage.number, " elements");
  push(std::move(storage));
}

Shape Machine::shape(Id id) const {
  constexpr size_t kMostDims = 64;
  const Object& tuple = wanted(id, What::Tuple, "sizes or strides");
  if (tuple.items.size() > kMostDims) fail("has a tensor of ", tuple.items.size(), " dimensions");
  Shape shape;
  for (const Id item : tuple.items)
    shape.push_back(wanted(item, What::Number, "a size or stride").number);
  return shape;
}

/// Throws unless all that `layout` reaches lies within a storage of `elements`.
void check(const Layout& layout, int64_t elements) {
  constexpr int64_t kWidest = 8;  // bytes of an element
  const auto refuse = [&](const char* why) {
    fail("has a tensor of the sizes ", to_string(layout.sizes), " and strides ",
         to_string(layout.strides), " from element ", layout.offset, " of a storage of ", elements,
         " elements: ", why);
  };
  if (layout.sizes.size() != layout.strides.size()) refuse("a stride for each size is needed");
  const auto count = checked_numel(layout.sizes);
  int64_t bytes;
  if (!count || __builtin_mul_overflow(*count, kWidest, &bytes)) refuse("no tensor has such sizes");
  if (layout.offset < 0 || layout.offset > elements) refuse("it begins outside");
  int64_t last = layout.offset;
  for (uint32_t d = 0; d < layout.sizes.size(); ++d) {
    int64_t steps;
    if (layout.strides[d] < 0) refuse("strides are not negative");
    if (*count == 0) continue;
    if (__builtin_mul_overflow(layout.sizes[d] - 1, layout.strides[d], &steps) ||
        __builtin_add_overflow(last, steps, &last))
      refuse("it ends outside");
  }
  if (*count > 0 && last >= elements) refuse("it ends outside");
}

/// (storage, offset, sizes, strides, requires_grad, hooks), and metadata after that in newer files.
Object Machine::rebuilt_tensor(const Object& arguments) {
  const std::vector<Id>& parts = arguments.items;
  if (parts.size() != 6 && parts.size() != 7)
    fail("makes a tensor from ", parts.size(), " things where 6 are needed");
  const Object& storage = wanted(parts[0], What::Storage, "the storage of a tensor");
  wanted(parts[4], What::Flag, "requires_grad");
  PickledTensor tensor;
  tensor.element = storage.element;
  tensor.key = storage.text;
  tensor.elements = storage.number;
  tensor.layout = {shape(parts[2]), shape(parts[3]),
                   wanted(parts[1], What::Number, "the offset of a tensor").number};
  check(tensor.layout, tensor.elements);
  const bool empty = numel(tensor.layout.sizes) == 0;
  if (empty) tensor.layout = {tensor.layout.sizes, contiguous_strides(tensor.layout.sizes), 0};
  tensors_.push_back(std::move(tensor));
  return {What::Tensor, static_cast<int64_t>(tensors_.size() - 1), {}, nullptr, {}};
}

void Machine::reduce() {
  const Id arguments_id = pop(), callable = pop();
  const Object& arguments = wanted(arguments_id, What::Tuple, "arguments");
  switch (objects_[callable].what) {
    case What::RebuildTensor: return push(rebuilt_tensor(arguments));
    case What::RebuildParameter:  // (tensor, requires_grad, hooks)
      if (arguments.items.empty()) fail("makes a parameter from nothing");
      wanted(arguments.items[0], What::Tensor, "the data of a parameter");
      return stack_.push_back(arguments.items[0]);
    case What::OrderedDict:
      if (!arguments.items.empty()) fail("makes an OrderedDict in a way that tensors do not need");
      return push(What::Dict);
    default: fail("calls ", name(objects_[callable].what), ", which is not to be called");
  }
}

void Machine::make_object() {
  wanted(pop(), What::Tuple, "arguments");
  wanted(pop(), What::ModuleClass, "a class to make an object of");
  push(What::Module);
}

void Machine::build() {
  const std::vector<Id>& state = wanted(pop(), What::Dict, "the state of a module").items;
  changeable(What::Module, "an object with a state").items = state;
}

void Machine::put(uint32_t place) {
  const Id id = pop();
  stack_.push_back(id);
  memo_[place] = id;
}

void Machine::get(uint32_t place) {
  const auto found = memo_.find(place);
  if (found == memo_.end()) fail("asks for object ", place, " before it is there");
  stack_.push_back(found->second);
}

void Machine::append(std::vector<Id> items) {
  std::vector<Id>& list = changeable(What::List, "a list to append to").items;
  list.insert(list.end(), items.begin(), items.end());
}

void Machine::set(const std::vector<Id>& items) {
  if (items.size() % 2 != 0) fail("has a key without a value");
  std::vector<Id>& dict = changeable(What::Dict, "a dict to put items in").items;
  dict.insert(dict.end(), items.begin(), items.end());
}

/// One opcode; false at the end.
bool Machine::step() {
  const auto opcode = static_cast<Opcode>(take(1)[0]);
  switch (opcode) {
    case Opcode::Proto: take(1); break;
    case Opcode::Stop: return false;
    case Opcode::Mark: marks_.push_back(stack_.size()); break;
    case Opcode::Global: push_global(); break;
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
    case Opcode::Long: push_long(); break;
    case Opcode::Text: push(Object{What::Text, 0, take(number<uint32_t>()), nullptr, {}}); break;
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
    case Opcode::Put: put(number<uint8_t>()); break;
    case Opcode::LongPut: put(number<uint32_t>()); break;
    case Opcode::Get: get(number<uint8_t>()); break;
    case Opcode::LongGet: get(number<uint32_t>()); break;
    default:
      fail("has the opcode ", static_cast<int>(static_cast<uint8_t>(opcode)), " at byte ", at_ - 1,
           ", which the pickles of tensors do not have");
  }
  return true;
}

/// torch.save's pickle is the tensor; torch::save's is a module that has it under "0".
PickledTensor Machine::result() {
  const Object* top = &objects_[pop()];
  if (top->what == What::Module && top->items.size() == 2 &&
      wanted(top->items[0], What::Text, "a name in a module").text == "0")
    top = &objects_[top->items[1]];
  if (top->what == What::Tensor) return std::move(tensors_[static_cast<size_t>(top->number)]);
  const bool keyed = top->what == What::Dict || top->what == What::Module;
  const bool counted = keyed || top->what == What::List || top->what == What::Tuple;
  fail("holds ", name(top->what),
       counted ? join(" of ", top->items.size() / (keyed ? 2 : 1)) : std::string(),
       " where one tensor is wanted; save each tensor to a file of its own");
}

PickledTensor Machine::run() {
  while (step()) {
  }
  return result();
}

// ---- Writing.

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

PickledTensor read_pickle(std::string_view pickle) { return Machine(pickle).run(); }

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
