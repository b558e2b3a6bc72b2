// html.cpp -- a run as one page of SVG charts and tables, light or dark as the browser asks.
// The page has no scripts and loads nothing.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <span>

#include "bench/rt_bench/report.h"

namespace rt_bench {
namespace {

using Results = std::vector<const Result*>;

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --paper: #fff;
  --lazy: #0969da; --eager: #9a6700; --libtorch: #59636e; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f6fc; --soft: #9198a1; --line: #3d444d;
  --paper: #0d1117; --lazy: #4493f8; --eager: #d29922; --libtorch: #9198a1; --good: #3fb950;
  --bad: #f85149; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } p, figcaption, li { color: var(--soft); }
figure { margin: 1.5rem 0; overflow-x: auto; }
svg { display: block; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .soft { fill: var(--soft); } svg .grid { stroke: var(--line); }
svg .one { stroke: var(--soft); } .lazy { fill: var(--lazy); } .eager { fill: var(--eager); }
.libtorch { fill: var(--libtorch); } svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
svg .bar { stroke-width: 2.5; }
svg .met { stroke: var(--good); } svg .missed { stroke: var(--bad); }
.wide { overflow-x: auto; } table { border-collapse: collapse; white-space: nowrap; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  font-variant-numeric: tabular-nums; } th:first-child, td:first-child { text-align: left; }
td.met { color: var(--good); } td.missed { color: var(--bad); }
)";

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      default: safe += c;
    }
  return safe;
}

std::string element(const std::string& name, const std::string& attributes,
                    const std::string& inside) {
  return '<' + name + (attributes.empty() ? "" : ' ' + attributes) + '>' + inside + "</" + name +
         '>';
}

std::string attribute(const char* name, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), "%s=\"%.1f\" ", name, value);
  return text.data();
}
std::string of_class(const std::string& name) { return "class=\"" + name + "\" "; }

/// A chart of rows: names on the left, a logarithmic axis on the right.
class Chart {
 public:
  Chart(std::span<const double> values, size_t rows, double row_height)
      : row_height_(row_height), height_(kTop + static_cast<double>(rows) * row_height) {
    const auto [low, high] = std::ranges::minmax(values);
    low_ = std::floor(std::log10(low) * 2) / 2;
    high_ = std::max(std::ceil(std::log10(high) * 2) / 2, low_ + 0.5);
  }
  double x(double value) const {
    return kNames + (std::log10(value) - low_) / (high_ - low_) * (kWidth - kNames - kRight);
  }
  double y(size_t row) const { return kTop + static_cast<double>(row) * row_height_; }

  void line(const std::string& name, double x1, double y1, double x2, double y2) {
    body_ += element("line",
                     of_class(name) + attribute("x1", x1) + attribute("y1", y1) +
                         attribute("x2", x2) + attribute("y2", y2),
                     "");
  }
  /// A bar from the value `from` to the value `to`; `hint` is its tooltip.
  void box(const std::string& name, double from, double to, double top, double height,
           const std::string& hint) {
    const double left = std::min(x(from), x(to)), width = std::max(1.0, std::abs(x(to) - x(from)));
    body_ += element("rect",
                     of_class(name) + attribute("x", left) + attribute("y", top) +
                         attribute("width", width) + attribute("height", height),
                     element("title", "", escaped(hint)));
  }
  void text(const std::string& attributes, double at, double y, const std::string& text) {
    body_ += element("text", attributes + attribute("x", at) + attribute("y", y), escaped(text));
  }
  /// Lines at the powers of ten, and between them if there is room. `write` formats their labels.
  template <class F>
  void grid(F write) {
    for (double power = std::floor(low_); power <= high_; ++power)
      for (const double step : {1.0, 3.0}) {
        const double value = step * std::pow(10, power);
        if (std::log10(value) < low_ || std::log10(value) > high_) continue;
        line("grid", x(value), kTop, x(value), height_);
        text(of_class("soft") + "text-anchor=\"middle\" ", x(value), kTop - 6, write(value));
      }
  }
  void name(size_t row, const std::string& text_of_row) {
    text("text-anchor=\"end\" ", kNames - 8, y(row) + row_height_ / 2 + 4, text_of_row);
  }
  std::string svg(const std::string& label) const {
    return element("svg",
                   "role=\"img\" aria-label=\"" + escaped(label) + "\" " +
                       attribute("width", kWidth) + attribute("height", height_ + 4),
                   body_);
  }
  double right() const { return kWidth - kRight; }
  double low() const { return std::pow(10, low_); }
  double height() const { return height_; }

 private:
  static constexpr double kWidth = 1080, kNames = 330, kRight = 150, kTop = 24;
  double row_height_, height_, low_, high_;
  std::string body_;
};

/// The bar as a ratio, 0 if it has none.
double ratio_bar(const Result& result) { return result.info.batch_cost ? 0 : result.bar; }

std::string ratio_chart(const Results& results) {
  std::vector<double> ends = {1};
  for (const Result* result : results) {
    const Estimate& ratio = result->lazy().times_fast;
    for (const double end : {ratio.low, ratio.high, ratio_bar(*result)})
      if (end > 0) ends.push_back(end);
  }
  Chart chart(ends, results.size(), 26);
  chart.grid([](double value) { return ratio_text(value); });
  chart.line("one", chart.x(1), 24, chart.x(1), chart.height());
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& result = *results[i];
    const Estimate& ratio = result.lazy().times_fast;
    const double top = chart.y(i), middle = top + 13;
    chart.name(i, result.info.title);
    chart.box("lazy", 1, ratio.median, top + 6, 14, result.info.name + ": " + ratio_text(ratio));
    chart.line("whisker", chart.x(ratio.low), middle, chart.x(ratio.high), middle);
    const double bar = ratio_bar(result);
    if (bar > 0)
      chart.line(result.met() ? "bar met" : "bar missed", chart.x(bar), top + 2, chart.x(bar),
                 top + 24);
    chart.text("", chart.right() + 8, middle + 4,
               ratio_text(ratio.median) + (bar > 0 ? ", bar " + bar_text(result) : ""));
  }
  return chart.svg("How many times as fast the lazy way is as the baseline");
}

std::string time_chart(const Results& results) {
  std::vector<double> ends;
  for (const Result* result : results)
    for (const WayResult& way : result->ways) ends.push_back(std::max(way.us.median, 1e-3));
  Chart chart(ends, results.size(), 40);
  chart.grid(time_text);
  for (size_t i = 0; i < results.size(); ++i) {
    chart.name(i, results[i]->info.title);
    double top = chart.y(i) + 3;
    for (const WayResult& way : results[i]->ways) {
      const double us = std::max(way.us.median, 1e-3);
      chart.box(id(way.way), chart.low(), us, top, 10,
                results[i]->info.name + ", " + title(way.way) + ": " + time_text(us));
      chart.text(of_class("soft"), chart.x(us) + 5, top + 9, time_text(us));
      top += 12;
    }
  }
  return chart.svg("Time of a step in each way");
}

std::string table(const Results& results) {
  std::string rows;
  for (const char* head : {"workload", "lazily", "policy eager", "libtorch", "times as fast, 95 %",
                           "bar", "batches", "hits", "nodes", "bytes", "results apart"})
    rows += element("th", "", head);
  rows = element("tr", "", rows);
  for (const Result* result : results) {
    std::string row =
        element("td", "title=\"" + escaped(result->info.name) + '"', escaped(result->info.title));
    for (const Way way : {Way::Lazy, Way::Eager, Way::Libtorch}) {
      const WayResult* found = result->find(way);
      row += element("td", "", found ? time_text(found->us.median) : "");
    }
    row += element("td", "", ratio_text(result->lazy().times_fast));
    row += element("td", of_class(result->bar > 0 ? result->met() ? "met" : "missed" : ""),
                   escaped(bar_text(*result)));
    for (const double count : {result->batches, result->hits, result->nodes})
      row += element("td", "", count_text(count));
    row += element("td", "", bytes_text(result->bytes));
    row += element("td", "", apart_text(*result));
    rows += '\n' + element("tr", "", row);
  }
  return element("div", of_class("wide"), element("table", "", rows));
}

std::string section(const std::string& backend, const Results& results) {
  std::string legend;
  for (const WayResult& way : results.front()->ways) {
    legend += "<svg width=\"12\" height=\"12\" style=\"display:inline\">" +
              element("rect", of_class(id(way.way)) + "width=\"12\" height=\"12\"", "") + "</svg> ";
    legend += std::string(title(way.way)) + " &nbsp; ";
  }
  const std::string baseline = title(results.front()->baseline().way);
  return element("h2", "", "Backend " + escaped(backend)) +
         element("figure", "",
                 ratio_chart(results) +
                     element("figcaption", "",
                             "How many times as fast the lazy way is as " + baseline +
                                 ", with the 95 % interval of the median; to the right of 1 it is "
                                 "faster. The upright mark is the bar.")) +
         element("figure", "",
                 time_chart(results) + element("figcaption", "", "Time of a step: " + legend)) +
         table(results);
}

}  // namespace

std::string to_html(const Run& run) {
  std::string body = element("h1", "", "rt_bench") + element("p", "", escaped(about(run)));
  for (const std::string& backend : backends_of(run)) {
    Results results;
    for (const Result& result : run.results)
      if (result.backend == backend) results.push_back(&result);
    body += section(backend, results);
  }
  std::string said;
  for (const std::string& line : remarks(run)) said += element("li", "", escaped(line));
  if (!said.empty()) body += element("h2", "", "Remarks") + element("ul", "", said);
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\"><title>rt_bench</title>" +
         element("style", "", kStyle) + "</head>\n<body>" + body + "</body></html>\n";
}

}  // namespace rt_bench
