// nan.cpp -- `nan`: the first node that computes a NaN or an infinity from operands without any.
#include <bit>
#include <cmath>

#include "graph/error.h"
#include "graph/ops/attributes.h"
#include "tools/rt_graph_dump/commands.h"
#include "tools/rt_graph_dump/numbers.h"

namespace rt::tool {
namespace {

/// True if a scalar is a NaN or an infinity, such as the fill of a mask: the program asked for it.
bool has_odd_scalar(const Batch& batch, const Batch::Step& step) {
  bool odd = false;
  each_attribute(info(step.op), batch.attributes_of(step),
                 [&](const Param& param, std::span<const int64_t> attributes) {
                   if (param.kind != Kind::Float) return;
                   const int64_t bits = batch.scalars[static_cast<size_t>(attributes[0])];
                   odd = odd || !std::isfinite(std::bit_cast<double>(bits));
                 });
  return odd;
}

std::string bad_text(const Statistics& of) {
  std::string text;
  if (of.nans > 0) text += counted(of.nans, "NaN");
  if (of.infinities > 0)
    text += join(text.empty() ? "" : " and ", of.infinities,
                 of.infinities == 1 ? " infinity" : " infinities");
  return text;
}

}  // namespace

Status nan(Subject& subject, const Setup& setup) {
  prepare(subject, setup);
  const Batch& batch = subject.batch();
  MemoryCount memory;
  const auto backend = open_backend(setup.backend, setup, memory);
  const Inputs inputs = make_inputs(*backend, subject, setup);
  std::string text = headline(subject, *backend, setup, inputs) + '\n';
  Walk walk(*backend, batch, inputs, setup.seed);
  std::vector<bool> tainted(batch.values.size());
  for (uint32_t value = 0; value < batch.values.size(); ++value) {
    if (!batch.is_input(value)) continue;
    const Statistics of = statistics(read(*backend, *walk.value(value)));
    tainted[value] = !of.sound();
    if (!of.sound()) text += join("input %", value, " holds ", bad_text(of), '\n');
  }
  while (!walk.done()) {
    const std::string failure = walk.step();
    const Batch::Step& at = batch.steps[walk.at()];
    if (!failure.empty()) {
      text += join(subject.step_text(walk.at()), "\n  failed: ", failure, '\n');
      continue;
    }
    const Numbers numbers = read(*backend, *walk.value(at.result));
    const Statistics of = statistics(numbers);
    tainted[at.result] = !of.sound();
    bool sound_before = !has_odd_scalar(batch, at);
    for (const uint32_t operand : batch.operands_of(at))
      sound_before = sound_before && (operand == kNone.id || !tainted[operand]);
    if (!of.sound() && sound_before) {
      text += join("\nthe first node that made one:\n", subject.step_text(walk.at()), "\n  ",
                   bad_text(of), " among ",
                   counted(static_cast<int64_t>(numbers.count()), "element"), ", the first at ",
                   numbers.index(*of.first_bad), "\n\n", statistics_head("its operands"));
      for (const uint32_t operand : batch.operands_of(at))
        if (operand != kNone.id)
          text +=
              statistics_line(join('%', operand, ": ",
                                   to_string(batch.values[operand].dtype, batch.sizes(operand))),
                              statistics(read(*backend, *walk.value(operand))));
      write("", text);
      return kFound;
    }
  }
  write("", text + "no node made a NaN or an infinity out of operands that had none\n");
  return kFine;
}

}  // namespace rt::tool
