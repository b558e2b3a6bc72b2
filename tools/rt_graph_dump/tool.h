// tool.h -- shared by the subcommands: reading a dump, formatting and writing output.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "graph/dump/dump.h"

namespace rt::tool {

/// The exit status of the process; an Error gives kBroken.
enum Status : int {
  kFine = 0,
  kFound = 1,   ///< a difference or a NaN, as with diff and grep
  kBroken = 2,  ///< the command failed
};

/// A dump and the file that it was read from.
struct Subject {
  std::string path;
  Dump dump;
  const Batch& batch() const { return dump.batch; }
  std::string step_text(size_t step) const;  ///< its line, with label and source location
};

/// Reads a dump, JSON or text; "-" is standard input. Throws with the file's name.
Subject load(const std::string& path);

/// Writes to a file, or to standard output where `path` is empty.
void write(const std::string& path, std::string_view text);

std::string bytes_text(int64_t bytes);       ///< "1.5 MiB"
std::string count_text(double count);        ///< "1.50 M"
std::string time_text(int64_t nanoseconds);  ///< "12.3 us"
std::string number_text(double number);      ///< six digits
/// A count with its noun: "12 nodes", "1 node".
std::string counted(int64_t count, std::string_view what);
/// The text, padded with spaces to align it left or right.
std::string left(std::string text, size_t width);
std::string right(std::string text, size_t width);

}  // namespace rt::tool
