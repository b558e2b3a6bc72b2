// report.h -- a run as a table, as JSON and as a page.
#pragma once
#include <string>

#include "bench/rt_bench/result.h"

namespace rt_bench {

/// Text that is also Markdown: a table for each backend, and remarks below them.
std::string to_text(const Run& run);
std::string to_json(const Run& run);
/// One HTML file that needs no network.
std::string to_html(const Run& run);

// ---- formats of numbers
std::string time_text(double us);
std::string bytes_text(double bytes);
std::string count_text(double count);
std::string ratio_text(double ratio);
std::string ratio_text(const Estimate& ratio);
/// The bar and the stretch, such as "10 to 18, met"; of batch costs the time above the baseline.
std::string bar_text(const Result& result);
/// The greatest distance of a way's results from the baseline's.
std::string apart_text(const Result& result);
/// In the order in which they were measured.
std::vector<std::string> backends_of(const Run& run);
/// Lines above the tables, and lines below them.
std::string about(const Run& run);
std::vector<std::string> remarks(const Run& run);

}  // namespace rt_bench
