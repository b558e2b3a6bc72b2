// html.cpp -- writes the page: its parts (graph/dump/page/) and the batch as JSON between them.
#include "graph/dump/html.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "graph/dump/page.h"
#include "graph/error.h"

namespace rt {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  put_quoted(out, text);
  return out;
}

/// Appends a named list as JSON, unless it is empty.
template <class Element, class Write>
void put_list(std::string& out, std::string_view name, std::span<const Element> list,
              const Write& write) {
  if (list.empty()) return;
  out += join(",\n\"", name, "\": [");
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ',';
    write(list[i]);
  }
  out += ']';
}

/// Appends the rows of the op table for the ops of the batch.
void put_ops(std::string& out, const Batch& batch) {
  std::unordered_set<std::string_view> told;
  out += "\n\"ops\": {";
  std::string_view before = "\n";
  for (const Batch::Step& step : batch.steps) {
    const OpInfo& row = info(step.op);
    if (!told.insert(row.name).second) continue;
    out += join(before, quoted(row.name), ": {\"family\": ", quoted(row.family),
                ", \"doc\": ", quoted(row.doc), ", \"operands\": [");
    before = ",\n";
    std::string_view comma;
    for (const Param& param : row.params) {
      if (param.kind != Kind::Tensor && param.kind != Kind::OptTensor &&
          param.kind != Kind::TensorList)
        continue;
      out += join(comma, quoted(param.name));
      comma = ", ";
    }
    out += "]}";
  }
  out += "}";
}

std::string page_data(const Batch& batch, const PageNotes& notes) {
  std::string out = join("{\"title\": ", quoted(notes.title), ",");
  put_ops(out, batch);
  put_list(out, "times_ns", notes.times_ns, [&](int64_t time) { out += std::to_string(time); });
  put_list(out, "groups", notes.groups, [&](uint32_t group) {
    out += group == PageNotes::kNoGroup ? "null" : std::to_string(group);
  });
  const auto finite = [](float at) { return to_string(std::isfinite(at) ? double{at} : 0.0); };
  put_list(out, "positions", notes.positions,
           [&](Position at) { out += join("[", finite(at.x), ",", finite(at.y), "]"); });
  return out + ",\n\"batch\": " + to_json(batch, &notes.notes) + "}";
}

/// JSON as the text of a script element. Such an element ends at the first "</script" and changes
/// its meaning at "<!--". In JSON "<" occurs in strings alone, where it can be escaped.
std::string in_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (char c : json) {
    if (c == '<') out += "\\u003c";
    else out += c;
  }
  return out;
}

std::string_view file(std::string_view name) {
  const auto files = page::files();
  return std::ranges::find(files, name, &page::File::name)->text;
}

std::string in_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '&') out += "&amp;";
    else out += c;
  }
  return out;
}

}  // namespace

std::string to_html(const Batch& batch, const PageNotes& notes) {
  const std::string data = in_script(page_data(batch, notes)), title = in_html(notes.title);
  const auto part = [&](std::string_view name) -> std::string_view {
    if (name == "data") return data;
    return name == "title" ? title : file(name);
  };
  // In explorer.html, {{name}} is replaced by the part of that name.
  std::string out;
  std::string_view rest = file("explorer.html");
  for (size_t at; (at = rest.find("{{")) != rest.npos;) {
    const size_t end = rest.find("}}", at);
    out += rest.substr(0, at);
    out += part(rest.substr(at + 2, end - at - 2));
    rest.remove_prefix(end + 2);
  }
  return out += rest;
}

}  // namespace rt
