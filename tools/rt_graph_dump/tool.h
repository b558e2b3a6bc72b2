// tool.h -- what the subcommands share: a dump that was read, and how things are written.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "graph/dump/dump.h"

namespace rt::tool {

/// How a command ends, after which the process does; an Error ends it with kBroken.
enum Status : int {
  kFine = 0,
  kFound = 1,   ///< a difference or a NaN, as diff and grep have it
  kBroken = 2,  ///< the command could not be done
};

/// A dump with the file it came from.
struct Subject {
  std::string path;
  Dump dump;
  const Batch& batch() const { return dump.batch; }
  std::string step_text(size_t step) const;  ///< its line, with label and place
};

/// Reads a dump of either form; "-" is the standard input. Throws with the file's name.
Subject load(const std::string& path);

/// Writes to a file, or where there is no name to the standard output.
void write(const std::string& path, std::string_view text);

std::string bytes_text(int64_t bytes);       ///< "1.5 MiB"
std::string count_text(double count);        ///< "1.50 M"
std::string time_text(int64_t nanoseconds);  ///< "12.3 us"
std::string number_text(double number);      ///< six digits
/// "12 nodes", "1 node".
std::string counted(int64_t count, std::string_view what);
/// The text, filled up with spaces on its right or its left.
std::string left(std::string text, size_t width);
std::string right(std::string text, size_t width);

}  // namespace rt::tool
