// batch.cpp -- building, comparing and hashing batches.
#include "graph/batch/batch.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <type_traits>

namespace rt {
// Items and steps are hashed and compared as memory, so equal ones must have equal bytes.
static_assert(std::has_unique_object_representations_v<Batch::Item>);
static_assert(std::has_unique_object_representations_v<Batch::Step>);

TensorType Batch::type(uint32_t value) const {
  if (value == kNone.id) return {.device = {}, .none = true, .sizes = {}};
  const Item& item = values[value];
  return {.dtype = item.dtype, .device = {item.device}, .sizes = sizes(value)};
}

Small<int64_t, 10> Batch::bound_attributes(const Step& step, std::span<const int64_t> bits) const {
  const AttributesView view = attributes_of(step);
  Small<int64_t, 10> bound(view.attributes);
  for (uint32_t i = 0; i < view.row.scalars; ++i) bound[i] = bits[static_cast<size_t>(bound[i])];
  return bound;
}

void Batch::clear() {
  values.clear();
  steps.clear();
  operands.clear();
  attributes.clear();
  dims.clear();
  roots.clear();
  groups.clear();
  scalars.clear();
  free_scalars = 0;
}

uint32_t Batch::add_input(DType dtype, Device device, Sizes sizes, Sizes strides) {
  const uint8_t flags = kInput | (strides.empty() ? 0 : kStrided);
  values.push_back({dtype, device.index, static_cast<uint8_t>(sizes.size()), flags,
                    static_cast<uint32_t>(dims.size())});
  dims.insert(dims.end(), sizes.begin(), sizes.end());
  dims.insert(dims.end(), strides.begin(), strides.end());
  return static_cast<uint32_t>(values.size() - 1);
}

uint32_t Batch::add_step(Op op, std::span<const uint32_t> step_operands,
                         std::span<const int64_t> step_words, DType dtype, Device device,
                         Sizes sizes) {
  const auto result = static_cast<uint32_t>(values.size());
  steps.push_back({op, static_cast<uint16_t>(step_words.size()),
                   static_cast<uint32_t>(step_operands.size()),
                   static_cast<uint32_t>(operands.size()), static_cast<uint32_t>(attributes.size()),
                   result, 1});
  operands.insert(operands.end(), step_operands.begin(), step_operands.end());
  attributes.insert(attributes.end(), step_words.begin(), step_words.end());
  values.push_back({dtype, device.index, static_cast<uint8_t>(sizes.size()), 0,
                    static_cast<uint32_t>(dims.size())});
  dims.insert(dims.end(), sizes.begin(), sizes.end());
  return result;
}

const Batch::Step& Batch::producer(uint32_t value) const {
  return *std::prev(std::ranges::upper_bound(steps, value, {}, &Step::result));
}

uint32_t Batch::add_fused(Batch group, std::span<const uint32_t> step_operands,
                          std::span<const int64_t> scalar_numbers) {
  std::vector<int64_t> step_words = {static_cast<int64_t>(groups.size()),
                                     static_cast<int64_t>(scalar_numbers.size())};
  step_words.insert(step_words.end(), scalar_numbers.begin(), scalar_numbers.end());
  const auto type_of = [&group](uint32_t root) { return group.type(root); };
  const TensorType first = type_of(group.roots[0]);
  const uint32_t result =
      add_step(Op::Fused, step_operands, step_words, first.dtype, first.device, first.sizes);
  for (const uint32_t root : std::span(group.roots).subspan(1)) {
    const TensorType type = type_of(root);
    values.push_back({type.dtype, type.device.index, static_cast<uint8_t>(type.sizes.size()), 0,
                      static_cast<uint32_t>(dims.size())});
    dims.insert(dims.end(), type.sizes.begin(), type.sizes.end());
  }
  steps.back().results = static_cast<uint32_t>(group.roots.size());
  groups.push_back(std::move(group));
  return result;
}

size_t Batch::bytes() const {
  size_t inside = groups.capacity() * sizeof(Batch);
  for (const Batch& group : groups) inside += group.bytes();
  return inside + values.capacity() * sizeof(Item) + steps.capacity() * sizeof(Step) +
         (operands.capacity() + roots.capacity()) * sizeof(uint32_t) +
         (attributes.capacity() + dims.capacity() + scalars.capacity()) * sizeof(int64_t);
}

bool same_work(const Batch& a, const Batch& b) {
  return a.values == b.values && a.steps == b.steps && a.operands == b.operands &&
         a.attributes == b.attributes && a.dims == b.dims && a.roots == b.roots &&
         std::ranges::equal(a.groups, b.groups, same_work) &&
         a.scalars.size() == b.scalars.size() && a.free_scalars == b.free_scalars;
}

Key key_of(const Batch& batch) {
  const auto hash = [](const auto& array, XXH64_hash_t seed) {
    return XXH3_128bits_withSeed(array.data(), array.size() * sizeof(array[0]), seed);
  };
  std::vector<Key> groups;
  for (const Batch& group : batch.groups) groups.push_back(key_of(group));
  const XXH128_hash_t parts[] = {hash(batch.values, 1),   hash(batch.steps, 2),
                                 hash(batch.operands, 3), hash(batch.attributes, 4),
                                 hash(batch.dims, 5),     hash(batch.roots, 6),
                                 hash(groups, 7)};
  const XXH128_hash_t all = XXH3_128bits_withSeed(parts, sizeof parts, batch.scalars.size());
  return {all.low64, all.high64};
}

std::string to_string(Key key) {
  std::array<char, 33> text;
  std::snprintf(text.data(), text.size(), "%016llx%016llx",
                static_cast<unsigned long long>(key.high),
                static_cast<unsigned long long>(key.low));
  return text.data();
}

}  // namespace rt
