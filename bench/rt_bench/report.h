// report.h -- a run as a table, as JSON and as a page.
#pragma once
#include <string>

#include "bench/rt_bench/result.h"

namespace rt_bench {

/// Text that is also Markdown: a table for each backend, and what there is to say below them.
std::string to_text(const Run& run);
std::string to_json(const Run& run);
/// One file that needs no network.
std::string to_html(const Run& run);

// ---- how numbers are written
std::string time_text(double us);
std::string bytes_text(double bytes);
std::string count_text(double count);
std::string ratio_text(double ratio);
std::string ratio_text(const Estimate& ratio);
/// "10 to 18, met", of bar and stretch, or of batch costs the time above the baseline.
std::string bar_text(const Result& result);
/// How far the results of the ways are from the baseline's at most.
std::string apart_text(const Result& result);
/// In the order in which they were measured.
std::vector<std::string> backends_of(const Run& run);
/// The lines that belong above the tables and below them.
std::string about(const Run& run);
std::vector<std::string> remarks(const Run& run);

}  // namespace rt_bench
