// model.js -- the batch in the form that the page uses: values with all of their data.
'use strict';

const ITEM_BYTES = {f32: 4, f64: 8, i32: 4, i64: 8, bool: 1, f16: 2, bf16: 2};

const model = (() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const {batch, ops} = data;

  const values = batch.values.map((value, id) => {
    const elements = value.sizes.reduce((product, size) => product * size, 1);
    return {
      id, elements, ...value,
      input: Boolean(value.input), root: false, step: -1, op: 'input', family: 'input',
      type: `${value.dtype}[${value.sizes}]`, bytes: elements * ITEM_BYTES[value.dtype],
      operands: [], users: [], words: [], inside: [], label: '', place: '', time: null, group: null, doc: '',
    };
  });

  const scalar = (word) => word.scalar < batch.free_scalars ? `<${word.value}>` : `${word.value}`;
  const wordText = (word) => {
    if (Array.isArray(word)) return `[${word}]`;
    return word !== null && typeof word === 'object' ? scalar(word) : `${word}`;
  };

  const steps = [];
  batch.steps.forEach((step, index) => {
    const value = values[step.result];
    const row = ops[step.op];
    steps.push(value);
    value.op = step.op;
    value.family = row.family;
    value.doc = row.doc;
    value.operands = step.operands;
    value.operandNames = step.operands.map((_, i) =>
      row.operands[i] ?? `${row.operands[row.operands.length - 1]} ${i + 1}`);
    value.words = Object.entries(step.words).map(([name, word]) => [name, wordText(word)]);
    value.label = batch.labels?.[index] ?? '';
    value.place = batch.places?.[index] ?? '';
    value.time = data.times_ns?.[index] ?? null;
    value.group = data.groups?.[index] ?? null;
    for (const operand of new Set(step.operands))
      if (operand !== null) values[operand].users.push(value.id);
    if (step.op !== 'fused') return;
    // The further results of a fused step follow it, as steps that read the first result.
    const {steps: inside, roots} = batch.groups[step.words.group];
    value.inside = inside.map((each) => each.op);
    for (let id = value.id + 1; id < value.id + roots.length; ++id) {
      Object.assign(values[id], {op: 'fused', family: row.family, operands: [value.id],
                                 operandNames: ['computed with'], doc: 'A further result.'});
      value.users.push(id);
      steps.push(values[id]);
    }
  });
  steps.forEach((value, at) => { value.step = at; });
  for (const root of batch.roots) values[root].root = true;

  // A group of one step is not shown as a group.
  const groups = new Map();
  for (const value of steps) {
    if (value.group === null) continue;
    if (!groups.has(value.group)) groups.set(value.group, []);
    groups.get(value.group).push(value.id);
  }
  for (const [group, members] of groups) {
    if (members.length > 1) continue;
    values[members[0]].group = null;
    groups.delete(group);
  }

  for (const value of values) {
    const operands = value.operands.map((operand) => operand === null ? 'none' : `%${operand}`);
    const words = value.words.map(([name, word]) => `${name}=${word}`);
    const device = value.device === 'cpu' ? '' : ` @${value.device}`;
    const call = value.input
      ? `input${value.strides ? `(strides=[${value.strides}])` : ''}`
      : `${value.op}(${[...operands, ...words].join(', ')})`;
    value.text = `%${value.id}: ${value.type}${device} = ${call}`;
    value.haystack = `${value.text} ${value.label} ${value.place}`.toLowerCase();
  }

  const timed = Boolean(data.times_ns);
  const sum = (list, of) => list.reduce((total, value) => total + (of(value) ?? 0), 0);
  return {
    title: data.title, key: batch.key, values, steps, groups, timed,
    inputs: values.filter((value) => value.input), roots: batch.roots,
    positions: data.positions ?? null,
    time: sum(steps, (value) => value.time), bytes: sum(steps, (value) => value.bytes),
    measure: timed ? 'time' : 'bytes',
  };
})();

// The families in the order of the legend; their colours are the style's --family-<name>.
const FAMILIES = ['matrix', 'convolution', 'normalization', 'elementwise', 'reduction', 'shape',
                  'index', 'creation', 'loss', 'input'];

const format = {
  scaled(amount, units, base) {
    let unit = 0;
    while (amount >= base && unit + 1 < units.length) amount /= base, ++unit;
    const digits = unit === 0 || amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
    return `${amount.toFixed(digits)} ${units[unit]}`;
  },
  time: (ns) => ns === null ? '–' : format.scaled(ns, ['ns', 'µs', 'ms', 's'], 1000),
  bytes: (bytes) => format.scaled(bytes, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024),
  count: (count) => count.toLocaleString('en-US'),
  counted: (count, what) => `${format.count(count)} ${what}${count === 1 ? '' : 's'}`,
  percent(part, whole) {
    const percent = whole > 0 ? 100 * part / whole : 0;
    if (percent > 0 && percent < 0.05) return '<0.1 %';
    return `${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
  },
};
