// report.cpp -- a run as a table and as JSON.
#include "bench/rt_bench/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace rt_bench {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

std::string number(const char* format, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

/// With three significant digits.
std::string three_digits(double value) {
  const int whole = value >= 100 ? 3 : value >= 10 ? 2 : 1;
  return number(whole == 3 ? "%.0f" : whole == 2 ? "%.1f" : "%.2f", value);
}

std::string time_cell(const Result& result, Way way) {
  const WayResult* found = result.find(way);
  return found ? time_text(found->us.median) : "";
}

std::string table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size(), 3);
  for (const Row& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      text += "| " + row[i] + std::string(widths[i] - row[i].size() + 1, ' ');
    text += "|\n";
    if (&row != rows.data()) continue;
    for (const size_t width : widths) text += '|' + std::string(width + 2, '-');
    text += "|\n";
  }
  return text;
}

const char* baseline_of(const Run& run) {
  return title(run.libtorch.empty() ? Way::Eager : Way::Libtorch);
}

std::string table_of(const Run& run, const std::string& backend) {
  const bool against_libtorch = !run.libtorch.empty();
  std::vector<Row> rows = {{"workload", "lazily", "policy eager"}};
  if (against_libtorch) rows[0].push_back("libtorch");
  for (const char* head : {"times as fast, 95 %", "bar", "batches", "hits", "nodes", "bytes"})
    rows[0].push_back(head);
  for (const Result& result : run.results) {
    if (result.backend != backend) continue;
    Row row = {result.info.title, time_cell(result, Way::Lazy), time_cell(result, Way::Eager)};
    if (against_libtorch) row.push_back(time_cell(result, Way::Libtorch));
    row.push_back(ratio_text(result.lazy().times_fast) + (result.is_noisy() ? "?" : "") +
                  (result.agrees() ? "" : ", DIFFERS"));
    row.push_back(bar_text(result));
    for (const double count : {result.batches, result.hits, result.nodes})
      row.push_back(count_text(count));
    row.push_back(bytes_text(result.bytes));
    rows.push_back(std::move(row));
  }
  return table(rows);
}

Json to_json(const Estimate& value) {
  return {{"median", value.median}, {"low", value.low}, {"high", value.high}};
}

/// JSON has no infinity, the distance of results that cannot be compared.
Json finite(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const Result& result) {
  Json json = {{"name", result.info.name},
               {"title", result.info.title},
               {"backend", result.backend},
               {"baseline", id(result.baseline().way)}};
  for (const WayResult& way : result.ways) {
    Json& entry = json["ways"][id(way.way)];
    entry["us"] = to_json(way.us);
    entry["times_as_fast"] = to_json(way.times_fast);
    entry["apart"] = finite(way.apart);
  }
  json["agrees"] = result.agrees();
  json["tolerance"] = result.info.tolerance;
  json["per_step"] = {{"batches", result.batches},
                      {"cache_hits", result.hits},
                      {"nodes", result.nodes},
                      {"bytes", result.bytes}};
  json["bar"] = nullptr;
  if (result.info.batch_cost) {
    json["above_us"] = to_json(result.above_us);
    if (result.bar > 0) json["bar"] = {{"above_us", result.bar}, {"met", result.met()}};
  } else if (result.bar > 0) {
    json["bar"] = {{"times_as_fast", result.bar}, {"met", result.met()}};
    if (result.stretch > 0) json["bar"]["stretch"] = result.stretch;
  }
  json["rounds"] = result.rounds;
  json["other_load"] = result.other_load;
  json["noisy"] = result.is_noisy();
  return json;
}

const char* name(Clock clock) { return clock == Clock::Wall ? "wall" : "processor"; }

}  // namespace

std::string time_text(double us) {
  if (us < 1000) return three_digits(us) + " us";
  if (us < 1e6) return three_digits(us / 1000) + " ms";
  return three_digits(us / 1e6) + " s";
}

std::string bytes_text(double bytes) {
  if (bytes < 1024) return number("%.0f", bytes);
  if (bytes < 1 << 20) return three_digits(bytes / 1024) + " KiB";
  return three_digits(bytes / (1 << 20)) + " MiB";
}

std::string count_text(double count) {
  return number(count == std::round(count) ? "%.0f" : "%.2f", count);
}

std::string ratio_text(double ratio) { return number(ratio < 9.995 ? "%.2f" : "%.1f", ratio); }

std::string ratio_text(const Estimate& ratio) {
  return ratio_text(ratio.median) + ", " + ratio_text(ratio.low) + " to " + ratio_text(ratio.high);
}

std::string bar_text(const Result& result) {
  if (result.bar == 0) return "";
  if (result.info.batch_cost)
    return number("%+.2f us", result.above_us.median) + " of " + number("%.4g", result.bar) + ", " +
           result.verdict();
  const std::string stretch = result.stretch > 0 ? number(" to %.4g", result.stretch) : "";
  return number("%.4g", result.bar) + stretch + ", " + result.verdict();
}

std::string apart_text(const Result& result) {
  double largest = 0;
  for (const WayResult& way : result.ways) largest = std::max(largest, way.apart);
  return number("%.1e", largest);
}

std::vector<std::string> backends_of(const Run& run) {
  std::vector<std::string> backends;
  for (const Result& result : run.results)
    if (std::ranges::find(backends, result.backend) == backends.end())
      backends.push_back(result.backend);
  return backends;
}

std::string about(const Run& run) {
  std::string text =
      run.date + ", " + run.processor + " (" + std::to_string(run.processors) + " processors), " +
      (run.setup.cuda ? "CUDA, " : "") + std::to_string(run.setup.threads) +
      (run.setup.threads == 1 ? " thread, " : " threads, ") + name(run.clock) + " time, " +
      (run.libtorch.empty() ? "no libtorch" : "libtorch " + run.libtorch);
  if (run.quick) text += ", quick";
  if (!run.variables.empty()) text += ", " + run.variables;
  return text;
}

std::vector<std::string> remarks(const Run& run) {
  std::vector<std::string> lines;
  std::string wide;
  size_t noisy = 0, disturbed = 0;
  double load = 0;
  for (const Result& result : run.results) {
    const std::string which = result.info.name + " on " + result.backend;
    for (const WayResult& way : result.ways)
      if (!(way.apart <= result.info.tolerance))
        lines.push_back(which + ": " + title(way.way) + " and " + title(result.baseline().way) +
                        " differ by " + number("%.1e", way.apart) + ", allowed is " +
                        number("%.0e", result.info.tolerance));
    if (result.is_wide()) wide += (wide.empty() ? "" : ", ") + which;
    noisy += result.is_noisy();
    disturbed += result.is_disturbed();
    load = std::max(load, result.other_load);
  }
  if (noisy > 0)
    lines.push_back("Too noisy to conclude (?): " + std::to_string(noisy) + " of " +
                    std::to_string(run.results.size()) + " rows");
  if (disturbed > 0)
    lines.push_back("Other work kept up to " + number("%.1f", load) + " of " +
                    std::to_string(run.processors) + " processors busy, in " +
                    std::to_string(disturbed) + " rows");
  if (!wide.empty()) lines.push_back("The interval is wider than a tenth of the ratio: " + wide);
  return lines;
}

std::string to_text(const Run& run) {
  std::string text = about(run) + "\n";
  for (const std::string& backend : backends_of(run))
    text += "\nBackend " + backend + ", lazily against " + baseline_of(run) + ":\n\n" +
            table_of(run, backend);
  const std::vector<std::string> lines = remarks(run);
  if (!lines.empty()) text += '\n';
  for (const std::string& line : lines) text += "- " + line + '\n';
  return text;
}

std::string to_json(const Run& run) {
  Json json = {{"format", 1},
               {"date", run.date},
               {"processor", run.processor},
               {"processors", run.processors},
               {"device", run.setup.cuda ? "cuda" : "cpu"},
               {"threads", run.setup.threads},
               {"clock", name(run.clock)},
               {"quick", run.quick},
               {"libtorch", run.libtorch.empty() ? Json(nullptr) : Json(run.libtorch)},
               {"variables", run.variables},
               {"results", Json::array()}};
  for (const Result& result : run.results) json["results"].push_back(to_json(result));
  return json.dump(2) + '\n';
}

}  // namespace rt_bench
