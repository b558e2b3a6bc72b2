// parse.cpp -- reads a dump of either form.
#include "graph/dump/parse.h"

#include "graph/error.h"

namespace rt {

Dump read_dump(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  const bool json = begin != std::string_view::npos && text[begin] == '{';
  return json ? parse::read_json(text) : parse::read_text(text);
}

Batch parse_text(std::string_view text) { return parse::read_text(text).batch; }

Batch parse_json(std::string_view text) { return parse::read_json(text).batch; }

void verify_dumps(const Batch& batch) {
  for (const bool json : {false, true}) {
    const Batch read = json ? parse_json(to_json(batch)) : parse_text(to_text(batch));
    if (!same_work(read, batch) || read.scalars != batch.scalars || key_of(read) != key_of(batch))
      fail("batch ", to_string(key_of(batch)), " reads back as another one from its ",
           json ? "JSON" : "text");
  }
}

}  // namespace rt
