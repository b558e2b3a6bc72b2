// tool.cpp -- reads dumps, writes results, formats numbers for people.
#include "tools/rt_graph_dump/tool.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "graph/error.h"

namespace rt::tool {
namespace {

template <class... Arguments>
std::string formatted(const char* format, Arguments... arguments) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, arguments...);
  return text.data();
}

struct Close {
  void operator()(std::FILE* file) const {
    if (file != stdin && file != stdout) std::fclose(file);
  }
};
using File = std::unique_ptr<std::FILE, Close>;

File open(const std::string& path, const char* mode, std::FILE* otherwise) {
  File file(path.empty() || path == "-" ? otherwise : std::fopen(path.c_str(), mode));
  if (!file) fail(path, ": cannot be opened: ", std::string_view(std::strerror(errno)));
  return file;
}

std::string read_all(const std::string& path) {
  const File file = open(path, "rb", stdin);
  std::string text;
  std::array<char, 1 << 16> part;
  for (size_t got; (got = std::fread(part.data(), 1, part.size(), file.get())) > 0;)
    text.append(part.data(), got);
  if (std::ferror(file.get()))
    fail(path, ": cannot be read: ", std::string_view(std::strerror(errno)));
  return text;
}

}  // namespace

std::string Subject::step_text(size_t step) const {
  const DumpNotes notes = dump.notes();
  return rt::step_text(dump.batch, step, &notes);
}

Subject load(const std::string& path) {
  const std::string text = read_all(path);
  try {
    return {path, read_dump(text)};
  } catch (const Error& error) {
    fail(path, ": ", error.text(),
         "; RT_TORCH_DUMP=FOLDER and rt_torch_graph_dump of this version write what is read here");
  }
}

void write(const std::string& path, std::string_view text) {
  const File file = open(path, "wb", stdout);
  if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
      std::fflush(file.get()) != 0)
    fail(path.empty() ? "the standard output" : path,
         ": cannot be written: ", std::string_view(std::strerror(errno)));
}

std::string bytes_text(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024;
  if (static_cast<double>(bytes) < kStep) return join(bytes, " B");
  double value = static_cast<double>(bytes) / kStep;
  size_t unit = 0;
  for (; value >= kStep && unit < 3; value /= kStep) ++unit;
  return formatted("%.1f %s", value, kUnits[unit]);
}

std::string count_text(double count) {
  constexpr const char* kUnits[] = {"k", "M", "G", "T"};
  constexpr double kStep = 1000;
  if (count < kStep) return formatted("%.0f", count);
  size_t unit = 0;
  for (count /= kStep; count >= kStep && unit < 3; count /= kStep) ++unit;
  return formatted("%.2f %s", count, kUnits[unit]);
}

std::string time_text(int64_t nanoseconds) {
  const auto time = static_cast<double>(nanoseconds);
  if (time < 1e6) return formatted("%.1f us", time / 1e3);
  if (time < 1e9) return formatted("%.2f ms", time / 1e6);
  return formatted("%.2f s", time / 1e9);
}

std::string number_text(double number) { return formatted("%.6g", number); }

std::string counted(int64_t count, std::string_view what) {
  return join(count, ' ', what, count == 1 ? "" : "s");
}

std::string left(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string right(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

}  // namespace rt::tool
