// page_test.cpp -- the batch explorer in a headless Chromium: opening, drawing, searching,
// clicking. A second script in the page acts as the user and reports what it finds.
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "graph/dump/html.h"
#include "tests/graph/samples.h"

namespace rt::test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

/// Runs before the page's scripts: collects errors, and draws frames by a timer, because there are
/// none without a window.
constexpr std::string_view kListen = R"(<script>
const errors = [];
addEventListener('error', (event) => errors.push(String(event.message)));
addEventListener('unhandledrejection', (event) => errors.push(String(event.reason)));
for (const level of ['error', 'warn'])
  console[level] = (...words) => errors.push(words.join(' '));
window.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 1);
</script>)";

/// Runs after the page's scripts: acts as the user, and outputs the scenario's result.
constexpr std::string_view kHands = R"(<script>
Element.prototype.setPointerCapture = () => {}; // there is no such pointer
const clickAt = ({x, y}) => {
  const box = canvas.getBoundingClientRect();
  for (const type of ['pointermove', 'pointerdown', 'pointerup'])
    canvas.dispatchEvent(new PointerEvent(type,
      {clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true}));
};
const clickValue = (id) => clickAt(toScreen(view.itemOf[id]));
const press = (key, shiftKey = false) => (document.activeElement ?? document.body).dispatchEvent(
  new KeyboardEvent('keydown', {key, shiftKey, bubbles: true, cancelable: true}));
const type = (text) => {
  byId('search').value = text;
  byId('search').dispatchEvent(new Event('input'));
};
const text = (selector) => document.querySelector(selector)?.innerText.replace(/\s+/g, ' ').trim();
const land = () => { if (flight) Object.assign(camera, flight.to); flight = null; };
const frame = () => new Promise((done) => setTimeout(done, 400));
const inked = () => { // how many colours are on the canvas
  const {data} = pen.getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 28)
    colours.add(data[at] * 65536 + data[at + 1] * 256 + data[at + 2]);
  return colours.size;
};
async function tell(scenario) {
  await frame();
  const told = await scenario();
  await frame();
  const result = encodeURIComponent(JSON.stringify({...told, errors, inked: inked()}));
  document.body.append(make('pre', {id: 'told'}, result));
}
</script>)";

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

class Page : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "rt_page_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Runs `scenario`, the body of an async function, in the page; returns its result.
  json run(const Batch& batch, const PageNotes& notes, std::string_view scenario,
           bool dark = false) {
    std::string page = to_html(batch, notes);
    page.insert(page.find("<body>") + 6, kListen);
    page.insert(page.rfind("</body>"),
                join(kHands, "<script>tell(async () => {", scenario, "});</script>"));
    const auto path = folder_ / "page.html";
    std::ofstream(path, std::ios::binary) << page;
    const std::string command =
        join("timeout 120 " RT_CHROMIUM
             " --headless=new --no-sandbox --disable-gpu --no-first-run "
             "--disable-background-networking --window-size=1440,900 --virtual-time-budget=4000 "
             "--blink-settings=preferredColorScheme=",
             dark ? 0 : 1, " --user-data-dir=", folder_.string(), "/profile --dump-dom file://",
             path.string(), " 2>/dev/null");
    std::string out;
    std::FILE* pipe = popen(command.c_str(), "r");
    if (!pipe) return {};
    std::array<char, 65536> part;
    for (size_t got; (got = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
      out.append(part.data(), got);
    EXPECT_EQ(pclose(pipe), 0);
    const std::string_view mark = "<pre id=\"told\">";
    const size_t at = out.rfind(mark);
    if (at == out.npos) {
      ADD_FAILURE() << "the page told nothing; it ends with\n"
                    << out.substr(out.size() - std::min<size_t>(out.size(), 2000));
      return {};
    }
    const size_t begin = at + mark.size();
    json told =
        json::parse(decoded(std::string_view(out).substr(begin, out.find('<', begin) - begin)));
    EXPECT_EQ(told["errors"], json::array());
    return told;
  }

 private:
  std::filesystem::path folder_;
};

/// Elementwise steps that read recent values, and sometimes an early one.
Batch tangle(uint32_t steps) {
  Batch batch;
  const std::vector<int64_t> sizes = {32, 64};
  std::vector<uint32_t> made = {batch.add_input(DType::F32, {}, sizes)};
  uint64_t state = 1;
  const auto pick = [&](size_t most) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return made[made.size() - 1 - (state >> 33) % std::min(most, made.size())];
  };
  const Op unary[] = {Op::Exp, Op::Relu, Op::Tanh}, binary[] = {Op::Add, Op::Mul};
  for (uint32_t i = 0; i < steps; ++i) {
    const uint32_t operands[] = {pick(5), pick(i % 20 == 0 ? 1000 : 3)};
    made.push_back(i % 3 == 0 ? batch.add_step(binary[i % 2], operands, {}, DType::F32, {}, sizes)
                              : batch.add_step(unary[i % 3], std::span(operands).first(1), {},
                                               DType::F32, {}, sizes));
  }
  batch.roots = {made.back()};
  return batch;
}

constexpr std::string_view kNasty = "</script><script>errors.push('ran')</script><!-- <b>&amp;";

TEST_F(Page, AClickTellsAllOfAStep) {
  const std::string labels[] = {"", std::string(kNasty)}, locations[] = {"", "train.spl:12"};
  const int64_t times[] = {1500, 500};
  PageNotes notes;
  notes.notes = {locations, labels};
  notes.times_ns = times;
  notes.title = "A <title> & more";
  const json told = run(small_batch(), notes, R"(
    const before = text('#details h2');
    clickValue(3);
    const details = text('#details');
    const links = [...document.querySelectorAll('.link')].map((each) => each.innerText);
    document.querySelector('.link').click();
    const followed = text('#details h2');
    land();
    clickValue(1);
    const input = text('#details');
    clickAt({x: 2, y: 2});
    return {before, details, links, followed, input, after: text('#details h2'),
            title: document.title, heading: text('#title'), summary: text('#summary')};)");
  EXPECT_EQ(told["before"], "Overview");
  for (std::string_view part : std::initializer_list<std::string_view>{
           "add_scalar", "%3", "root", "%3: f32[32,64] = add_scalar(%2, other=<0.5>)", kNasty,
           "train.spl:12", "Shape [32, 64]", "Dtype f32", "Device cpu", "Elements 2,048",
           "Bytes 8.00 KiB (8,192 B)", "Time 500 ns (25 %)", "other <0.5>"})
    EXPECT_THAT(told["details"].get<std::string>(), HasSubstr(part));
  EXPECT_EQ(told["links"].size(), 1u);
  EXPECT_EQ(told["followed"], "matmul");
  EXPECT_THAT(told["input"].get<std::string>(), HasSubstr("Strides [1, 64]"));
  EXPECT_EQ(told["after"], "Overview");
  EXPECT_EQ(told["title"], "A <title> & more");
  EXPECT_EQ(told["heading"], "A <title> & more");
  EXPECT_EQ(told["summary"], "2 steps · 2 inputs · 2 roots · 16.0 KiB of results · 2.00 µs");
}

TEST_F(Page, SearchFindsByOpNumberLabelAndPlace) {
  const Batch batch = tangle(30);
  std::vector<std::string> labels(30), locations(30);
  labels[6] = "hidden layer", locations[6] = "net.spl:7";
  labels[20] = "logits", locations[20] = "net.spl:9";
  PageNotes notes;
  notes.notes = {locations, labels};
  const json told = run(batch, notes, R"(
    const found = {};
    for (const query of ['LOGITS', 'net.spl', 'hidden layer', '%12', 'mul', 'f32[32,64]',
                         'nowhere']) {
      type(query);
      found[query] = scene.matches.size;
    }
    type('net.spl');
    const rows = [...document.querySelectorAll('.row')].map((row) => row.dataset.value);
    press('/');
    const focused = document.activeElement.id;
    press('Enter');
    const first = scene.selected, says = text('#found');
    press('Enter');
    const second = scene.selected;
    press('Enter', true);
    const back = scene.selected;
    press('Escape');
    return {found, rows, focused, first, says, second, back, cleared: scene.matches === null,
            all: table.rows.length};)");
  EXPECT_EQ(told["found"]["LOGITS"], 1);
  EXPECT_EQ(told["found"]["net.spl"], 2);
  EXPECT_EQ(told["found"]["hidden layer"], 1);
  EXPECT_EQ(told["found"]["%12"], 1);
  EXPECT_EQ(told["found"]["mul"], 5);
  EXPECT_EQ(told["found"]["f32[32,64]"], 31);
  EXPECT_EQ(told["found"]["nowhere"], 0);
  EXPECT_EQ(told["rows"].size(), 2u);
  EXPECT_EQ(told["focused"], "search");
  EXPECT_EQ(told["first"], 7);
  EXPECT_EQ(told["says"], "1 of 2");
  EXPECT_EQ(told["second"], 21);
  EXPECT_EQ(told["back"], 7);
  EXPECT_EQ(told["cleared"], true);
  EXPECT_EQ(told["all"], 30);
}

TEST_F(Page, KeysWalkAlongTheEdges) {
  const json told = run(chain(5), {}, R"(
    canvas.focus();
    const walked = [];
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowLeft', 'Escape',
                       'f', '+', '-']) {
      press(key);
      walked.push(scene.selected);
    }
    return {walked, announced: text('#announce')};)");
  EXPECT_EQ(told["walked"], json::parse("[1, 2, 3, 2, 2, null, null, null, null]"));
}

constexpr std::string_view kLooks = R"(
    const overlapping = () => {
      let count = 0;
      const sorted = view.items.slice().sort((a, b) => a.y - b.y);
      sorted.forEach((a, at) => {
        for (let next = at + 1; next < sorted.length && sorted[next].y - a.y < 60; ++next) {
          const b = sorted[next];
          if (Math.abs(a.x - b.x) < (a.w + b.w) / 2 && Math.abs(a.y - b.y) < (a.h + b.h) / 2)
            ++count;
        }
      });
      return count;
    };
    const rising = () =>
      view.edges.filter(({from, to}) => from.y + from.h / 2 >= to.y - to.h / 2).length;
    const sound = () => view.items.every(({x, y, w, h}) => [x, y, w, h].every(Number.isFinite));
)";

TEST_F(Page, AThousandStepsAreLaidOut) {
  const Batch batch = tangle(1000);
  std::vector<int64_t> times(1000, 100);
  times[432] = 9000;
  PageNotes notes;
  notes.times_ns = times;
  const json told = run(batch, notes, join(kLooks, R"(
    document.querySelector('#colour [data-colour="time"]').click();
    const first = document.querySelector('.row');
    first.click();
    land();
    const at = toScreen(view.itemOf[433]);
    return {items: view.items.length, overlapping: overlapping(), rising: rising(), sound: sound(),
            rows: document.querySelectorAll('.row').length, selected: scene.selected,
            seen: at.x > 0 && at.x < scene.width && at.y > 0 && at.y < scene.height,
            legend: text('#legend'), family: byId('legend').querySelectorAll('.ramp').length};)"));
  EXPECT_EQ(told["items"], 1001);
  EXPECT_EQ(told["overlapping"], 0);
  EXPECT_EQ(told["rising"], 0);
  EXPECT_EQ(told["sound"], true);
  EXPECT_LT(told["rows"], 100) << "only rows in sight are elements";
  EXPECT_EQ(told["selected"], 433) << "the slowest step comes first";
  EXPECT_EQ(told["seen"], true);
  EXPECT_THAT(told["legend"].get<std::string>(), HasSubstr("100 ns"));
  EXPECT_THAT(told["legend"].get<std::string>(), HasSubstr("9.00 µs"));
  EXPECT_GT(told["inked"], 10);
}

TEST_F(Page, TwentyThousandStepsOpenAsRuns) {
  const json told = run(tangle(20000), {}, join(kLooks, R"(
    const kinds = view.items.map((item) => item.kind);
    const closed = view.items.length;
    const run = view.items.find((item) => item.kind === 'run' && toScreen(item).y > 60);
    const members = run.members.length;
    clickAt(toScreen(run));
    const opened = view.items.length;
    const result = {overlapping: overlapping(), rising: rising(), sound: sound()};
    type('%15000');
    press('/');
    press('Enter');
    land();
    const revealed = view.itemOf[15000].kind;
    const at = toScreen(view.itemOf[15000]);
    const beside = document.querySelector('#details .small');
    beside.click();
    const again = view.itemOf[15000].kind;
    byId('collapse').click();
    return {...result, closed, members, opened, revealed, again,
            seen: at.x > 0 && at.x < scene.width,
            runs: kinds.filter((kind) => kind === 'run').length, back: view.items.length};)"));
  EXPECT_EQ(told["runs"], 250);
  EXPECT_EQ(told["closed"], 251) << "the runs and the one input";
  EXPECT_EQ(told["members"], 80);
  EXPECT_EQ(told["opened"], 251 - 1 + 80);
  EXPECT_EQ(told["overlapping"], 0);
  EXPECT_EQ(told["rising"], 0);
  EXPECT_EQ(told["sound"], true);
  EXPECT_EQ(told["revealed"], "value");
  EXPECT_EQ(told["seen"], true);
  EXPECT_EQ(told["again"], "run");
  EXPECT_EQ(told["back"], 251);
  EXPECT_GT(told["inked"], 10);
}

TEST_F(Page, FusedGroupsCloseAndOpen) {
  const uint32_t none = PageNotes::kNoGroup;
  const uint32_t groups[] = {none, 4, 4, 4, none, 7};
  PageNotes notes;
  notes.groups = groups;
  const json told = run(chain(6), notes, R"(
    const open = view.items.length, hulls = scene.hulls.length;
    clickAt(toScreen(scene.chips[0]));
    const closed = view.items.length, kind = view.itemOf[3].kind, main = view.itemOf[3].lines.main;
    clickValue(3);
    const again = view.items.length;
    byId('collapse').click();
    const all = view.items.length, button = text('#collapse');
    type('%4');
    press('/');
    press('Enter');
    return {open, hulls, closed, kind, main, again, all, button, revealed: view.itemOf[4].kind,
            fused: text('#details dl')};)");
  EXPECT_EQ(told["open"], 7);
  EXPECT_EQ(told["hulls"], 1) << "a group of one step is none";
  EXPECT_EQ(told["closed"], 5);
  EXPECT_EQ(told["kind"], "group");
  EXPECT_EQ(told["main"], "fused ×3");
  EXPECT_EQ(told["again"], 7);
  EXPECT_EQ(told["all"], 5);
  EXPECT_EQ(told["button"], "Expand fused groups");
  EXPECT_EQ(told["revealed"], "value");
  EXPECT_THAT(told["fused"].get<std::string>(), HasSubstr("Fused 3 steps"));
}

TEST_F(Page, GivenPositionsAreTaken) {
  const Position positions[] = {{10, 20}, {30, 400.5}};
  PageNotes notes;
  notes.positions = positions;
  const json told = run(chain(1), notes, "return {at: view.items.map(({x, y}) => [x, y])};");
  EXPECT_EQ(told["at"], json::parse("[[30, 400.5], [10, 20]]"));
}

TEST_F(Page, AnEmptyBatchOpens) {
  const json told = run(Batch(), {}, "press('ArrowDown'); return {summary: text('#summary')};");
  EXPECT_EQ(told["summary"], "0 steps · 0 inputs · 0 roots · 0 B of results");
}

/// The least contrast of two texts on any background.
constexpr std::string_view kContrast = R"(
    const light = (colour) => [1, 3, 5].reduce((sum, at, part) => {
      const c = parseInt(colour.slice(at, at + 2), 16) / 255;
      return sum + [0.2126, 0.7152, 0.0722][part] *
        (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    }, 0);
    const contrast = () => {
      const style = getComputedStyle(document.documentElement);
      const of = (name) => light(style.getPropertyValue(`--${name}`).trim());
      let least = 99;
      for (const front of ['ink', 'soft'])
        for (const back of ['canvas', 'card', 'panel', 'field', 'hover', 'hull']) {
          const [a, b] = [of(front), of(back)].sort((x, y) => y - x);
          least = Math.min(least, (a + 0.05) / (b + 0.05));
        }
      return least;
    };
    const ground = () => getComputedStyle(document.body).backgroundColor;
    const first = {contrast: contrast(), ground: ground(), canvas: scene.theme.canvas};
    byId('theme').click();
    const second = {contrast: contrast(), ground: ground(), canvas: scene.theme.canvas};
    return {first, second};)";

TEST_F(Page, BothSchemesCanBeRead) {
  const json light = run(tangle(20), {}, kContrast), dark = run(tangle(20), {}, kContrast, true);
  for (const json& told : {light, dark}) {
    EXPECT_GE(told["first"]["contrast"], 4.5);
    EXPECT_GE(told["second"]["contrast"], 4.5);
  }
  EXPECT_NE(light["first"], dark["first"]) << "the page follows the system";
  EXPECT_EQ(light["first"], dark["second"]) << "and the button overrules it";
  EXPECT_EQ(light["second"], dark["first"]);
}

}  // namespace
}  // namespace rt::test
