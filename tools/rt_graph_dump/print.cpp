// print.cpp -- prints a dump in another format.
#include "graph/error.h"
#include "tools/rt_graph_dump/commands.h"

namespace rt::tool {
namespace {

std::string script(const Batch& batch, ScriptForm form, const Setup& setup) {
  MemoryCount memory;
  return open_backend("libtorch", setup, memory)->script(batch, form);
}

std::string printed(const Subject& subject, std::string_view format, const Setup& setup) {
  const DumpNotes notes = subject.dump.notes();
  if (format == "text") return to_text(subject.batch(), &notes);
  if (format == "json") return to_json(subject.batch(), &notes);
  if (format == "dot") return to_dot(subject.batch(), &notes);
  try {
    return script(subject.batch(), format == "module" ? ScriptForm::Module : ScriptForm::Ir, setup);
  } catch (const Error& error) {
    fail(subject.path, ": ", error.text());
  }
}

}  // namespace

Status print(const Subject& subject, const PrintOptions& options, const Setup& setup) {
  write(options.out, printed(subject, options.format, setup));
  return kFine;
}

}  // namespace rt::tool
