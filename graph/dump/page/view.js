// view.js -- the items that are shown: values, closed fused groups and closed runs of steps.
'use strict';

const COLLAPSE_ABOVE = 1500; // steps; a batch with more opens as runs
const MOST_RUNS = 250;
const OPEN_AT_ONCE = 128; // a longer run opens into shorter ones

const view = {
  runs: [], // closed runs in order: {from, to}, indices of steps
  closedGroups: new Set(),
  items: [],
  edges: [],
  itemOf: [], // item by value; undefined where the value is not shown

  runLength: Math.max(32, Math.ceil(model.steps.length / MOST_RUNS)),
  get hasRuns() { return model.steps.length > COLLAPSE_ABOVE; },

  /// The whole run that contains a step.
  home(step) {
    const from = Math.floor(step / view.runLength) * view.runLength;
    return {from, to: Math.min(from + view.runLength, model.steps.length)};
  },
  closeAllRuns() {
    view.runs = [];
    if (!view.hasRuns) return;
    for (let from = 0; from < model.steps.length; from += view.runLength)
      view.runs.push(view.home(from));
  },
  closeRun(step) {
    const home = view.home(step);
    view.runs = view.runs.filter((run) => run.to <= home.from || run.from >= home.to);
    view.runs.push(home);
    view.runs.sort((a, b) => a.from - b.from);
  },
  runAt(step) { return view.runs.find((run) => run.from <= step && step < run.to); },
  openRun(run) {
    const at = view.runs.indexOf(run);
    const length = run.to - run.from;
    const parts = [];
    if (length > OPEN_AT_ONCE) {
      const part = Math.ceil(length / Math.ceil(Math.sqrt(length)));
      for (let from = run.from; from < run.to; from += part)
        parts.push({from, to: Math.min(from + part, run.to)});
    }
    view.runs.splice(at, 1, ...parts);
  },
  /// Opens the items that hide a value. True where there were any.
  reveal(id) {
    const value = model.values[id];
    const step = value.input ? model.values[value.users[0]]?.step : value.step;
    let changed = !value.input && value.group !== null && view.closedGroups.delete(value.group);
    if (value.input && view.itemOf[id]) return false;
    for (let run; step !== undefined && (run = view.runAt(step)); changed = true) view.openRun(run);
    return changed;
  },

  build() {
    view.items = [];
    view.itemOf = new Array(model.values.length);
    const groupItems = new Map();
    let next = 0;
    for (let step = 0; step < model.steps.length;) {
      while (next < view.runs.length && view.runs[next].to <= step) ++next;
      const run = view.runs[next];
      if (run && run.from <= step) {
        add('run', model.steps.slice(run.from, run.to), run);
        step = run.to;
        continue;
      }
      const value = model.steps[step++];
      if (value.group === null || !view.closedGroups.has(value.group)) {
        add('value', [value], null);
      } else if (groupItems.has(value.group)) {
        const item = groupItems.get(value.group);
        item.members.push(value);
        view.itemOf[value.id] = item;
      } else {
        groupItems.set(value.group, add('group', [value], value.group));
      }
    }
    const few = model.inputs.length <= 40;
    for (const input of model.inputs)
      if (few || input.users.some((user) => view.itemOf[user].kind !== 'run'))
        add('value', [input], null);
    view.items.forEach(complete);
    connect();

    function add(kind, members, of) {
      const item = {kind, members, of, index: view.items.length};
      view.items.push(item);
      for (const member of members) view.itemOf[member.id] = item;
      return item;
    }
    function complete(item) {
      const {members} = item;
      const total = (of) => members.reduce((sum, member) => sum + (of(member) ?? 0), 0);
      item.time = model.timed && !members[0].input ? total((member) => member.time) : null;
      item.bytes = total((member) => member.bytes);
      item.root = members.some((member) => member.root);
      item.family = members[0].family;
      item.lines = lines(item);
    }
    function connect() {
      const seen = new Map();
      for (const item of view.items)
        for (const member of item.members)
          for (const operand of member.operands) {
            const source = operand === null ? undefined : view.itemOf[operand];
            if (!source || source === item) continue;
            const key = source.index * view.items.length + item.index;
            if (!seen.has(key)) seen.set(key, {from: source, to: item});
          }
      view.edges = [...seen.values()];
    }
    /// The texts of a box: {main, side, under, label, cost}.
    function lines({kind, members, time, bytes}) {
      const first = members[0];
      const cost = time !== null ? format.time(time) : format.bytes(bytes);
      if (kind === 'value')
        return {main: first.op, side: `%${first.id}`, under: first.type, label: first.label,
                cost: time !== null ? cost : ''};
      const last = members[members.length - 1];
      const counts = new Map();
      for (const member of members) counts.set(member.op, (counts.get(member.op) ?? 0) + 1);
      const common = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3)
        .map(([op, count]) => count > 1 ? `${op} ×${count}` : op).join('  ');
      const labels = [...new Set(members.map((member) => member.label).filter(Boolean))];
      return {main: kind === 'run' ? format.counted(members.length, 'step') : `fused ×${members.length}`,
              side: `%${first.id}–${last.id}`, under: common, label: labels.slice(0, 2).join(', '),
              cost};
    }
  },
};
