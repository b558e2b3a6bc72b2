// panel.js -- the parts beside the graph: details of the selection, the table, the legend.
'use strict';

/// Makes an element: make('span', {class: 'op'}, 'text', otherElement).
function make(tag, attributes = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...content);
  return element;
}
const byId = (id) => document.getElementById(id);
const dot = (family) => make('i', {class: 'dot', style: `background: var(--family-${family})`});

// ---- details

/// A button that selects a value.
function link(id, name = '') {
  if (id === null) return make('span', {class: 'soft'}, `${name} none`);
  const value = model.values[id];
  return make('button', {class: 'link', 'data-value': id, click: () => select(id, true)},
              ...(name ? [make('span', {class: 'soft'}, `${name} `)] : []), dot(value.family),
              make('b', {}, value.op), ` %${id} `, make('code', {}, value.type),
              ...(value.label ? [' ', make('em', {}, value.label)] : []));
}

function links(title, list) {
  const most = 24;
  const section = make('section', {}, make('h3', {}, title));
  section.append(make('div', {class: 'links'}, ...list.slice(0, most)));
  if (list.length > most)
    section.append(make('p', {class: 'soft'}, `and ${format.count(list.length - most)} more`));
  return section;
}

function showDetails() {
  const panel = byId('details');
  panel.scrollTop = 0;
  if (scene.selected === null) return panel.replaceChildren(...overview());
  const value = model.values[scene.selected];
  const facts = make('dl');
  const fact = (name, text, copy = false) => {
    if (text === '' || text === null) return;
    facts.append(make('dt', {}, name), make('dd', copy ? {class: 'mono'} : {}, text));
  };
  const roles = [];
  if (value.root) roles.push(make('span', {class: 'role'}, 'root'));
  if (value.input) roles.push(make('span', {class: 'role'}, 'input'));
  fact('Label', value.label);
  fact('Source', value.place, true);
  fact('Shape', value.sizes.length > 0 ? `[${value.sizes.join(', ')}]` : 'scalar', true);
  if (value.strides) fact('Strides', `[${value.strides.join(', ')}]`, true);
  fact('Dtype', value.dtype, true);
  fact('Device', value.device, true);
  fact('Elements', format.count(value.elements));
  fact('Bytes', value.bytes < 1024 ? `${value.bytes} B`
                                   : `${format.bytes(value.bytes)} (${format.count(value.bytes)} B)`);
  if (!value.input)
    fact('Time', value.time === null ? 'not measured'
      : `${format.time(value.time)} (${format.percent(value.time, model.time)})`);
  for (const [name, text] of value.words) fact(name, text, true);
  fact('Computes', value.inside.join(', '));
  if (value.group !== null) {
    const closed = view.closedGroups.has(value.group);
    fact('Fused', make('span', {}, `${format.counted(model.groups.get(value.group).length, 'step')} `,
                       make('button', {class: 'small', click: () => toggleGroup(value.group)},
                            closed ? 'open' : 'close')));
  }
  panel.replaceChildren(
    make('header', {}, dot(value.family), make('h2', {}, value.op),
         make('span', {class: 'number'}, `%${value.id}`), ...roles,
         make('button', {class: 'close', 'aria-label': 'Clear the selection', title: 'Esc',
                         click: () => select(null)}, '×')),
    ...(value.doc ? [make('p', {class: 'doc'}, value.doc)] : []),
    make('pre', {}, value.text), facts);
  if (value.operands.length > 0)
    panel.append(links('Operands', value.operands.map((id, at) => link(id, value.operandNames[at]))));
  if (value.users.length > 0)
    panel.append(links(`Used by ${format.count(value.users.length)}`, value.users.map((id) => link(id))));
  if (!value.input && view.hasRuns)
    panel.append(make('p', {}, make('button', {class: 'small', click: () => collapseAround(value.step)},
                                    'Collapse the steps around it')));
}

/// The details while nothing is selected.
function overview() {
  const families = new Map();
  for (const step of model.steps) {
    const sum = families.get(step.family) ?? {family: step.family, count: 0, amount: 0};
    ++sum.count;
    sum.amount += step[model.measure];
    families.set(step.family, sum);
  }
  const rows = [...families.values()].sort((a, b) => b.amount - a.amount || b.count - a.count);
  const whole = model[model.measure];
  const bar = make('div', {class: 'stack', 'aria-hidden': 'true'}, ...rows.map((row) =>
    make('i', {style: `flex-grow: ${row.amount}; background: var(--family-${row.family})`})));
  const facts = make('dl', {},
    ...[['Steps', format.count(model.steps.length)], ['Inputs', format.count(model.inputs.length)],
        ['Roots', format.count(model.roots.length)],
        ['Fused groups', model.groups.size > 0 ? format.count(model.groups.size) : null],
        ['Time', model.timed ? format.time(model.time) : null],
        ['Results', format.bytes(model.bytes)]]
      .filter(([, text]) => text !== null)
      .flatMap(([name, text]) => [make('dt', {}, name), make('dd', {}, text)]),
    make('dt', {}, 'Key'), make('dd', {class: 'mono key'}, model.key));
  const share = make('div', {class: 'shares'}, ...rows.flatMap((row) => [
    make('span', {}, dot(row.family), row.family),
    make('span', {class: 'num soft'}, format.counted(row.count, 'step')),
    make('span', {class: 'num'}, model.timed ? format.time(row.amount) : format.bytes(row.amount)),
    make('span', {class: 'num soft'}, format.percent(row.amount, whole))]));
  return [make('header', {}, make('h2', {}, 'Overview')), facts,
          make('h3', {}, model.timed ? 'Time by family' : 'Bytes of results by family'), bar, share];
}

// ---- the table: only visible rows are elements

const ROW = 26;
const table = {
  tab: 'steps', rows: [], sort: {steps: [model.measure, -1], ops: [model.measure, -1]}, most: 1,
};

const COLUMNS = {
  steps: [
    ['op', 'Step', (value) => value.op], ['id', '%', (value) => value.id],
    ['type', 'Type', (value) => value.type], ['bytes', 'Bytes', (value) => value.bytes],
    ...(model.timed ? [['time', 'Time', (value) => value.time ?? -1]] : []),
  ],
  ops: [
    ['op', 'Op', (row) => row.op], ['count', 'Steps', (row) => row.count],
    ['bytes', 'Bytes', (row) => row.bytes],
    ...(model.timed ? [['time', 'Time', (row) => row.time]] : []),
  ],
};

function tableRows() {
  const steps = model.steps.filter((step) => !scene.matches || scene.matches.has(step.id));
  if (table.tab === 'steps') return steps;
  const ops = new Map();
  for (const step of steps) {
    const row = ops.get(step.op) ?? {op: step.op, family: step.family, count: 0, bytes: 0, time: 0};
    ++row.count;
    row.bytes += step.bytes;
    row.time += step.time ?? 0;
    ops.set(step.op, row);
  }
  return [...ops.values()];
}

function fillTable() {
  const [column, direction] = table.sort[table.tab];
  const columns = COLUMNS[table.tab];
  const of = columns.find(([name]) => name === column)[2];
  const compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;
  table.rows = tableRows().sort((a, b) =>
    direction * compare(of(a), of(b)) || (a.id ?? 0) - (b.id ?? 0));
  table.most = table.rows.reduce((most, row) => Math.max(most, row[model.measure] ?? 0), 1);
  byId('columns').className = `columns ${table.tab}${model.timed ? ' timed' : ''}`;
  byId('columns').replaceChildren(...columns.map(([name, title]) =>
    make('button', {'data-column': name, class: ['op', 'type'].includes(name) ? '' : 'num',
                    'aria-pressed': String(name === column), click: () => sortBy(name)},
         title, make('span', {class: 'arrow'}, name !== column ? '' : direction < 0 ? ' ↓' : ' ↑'))));
  for (const tab of ['steps', 'ops'])
    byId(`tab-${tab}`).setAttribute('aria-pressed', String(tab === table.tab));
  byId('rows').scrollTop = 0;
  drawRows();
}

function sortBy(column) {
  const [now, direction] = table.sort[table.tab];
  const first = ['op', 'id', 'type'].includes(column) ? 1 : -1;
  table.sort[table.tab] = [column, column === now ? -direction : first];
  fillTable();
}

function drawRows() {
  const area = byId('rows');
  const from = Math.max(0, Math.floor(area.scrollTop / ROW) - 4);
  const to = Math.min(table.rows.length, from + Math.ceil(area.clientHeight / ROW) + 8);
  const shown = table.rows.slice(from, to).map((row, at) => drawRow(row, from + at));
  byId('height').style.height = `${table.rows.length * ROW}px`;
  byId('height').replaceChildren(...shown);
}

function drawRow(row, at) {
  const share = 100 * Math.max(0, row[model.measure] ?? 0) / table.most;
  const number = (text) => make('span', {class: 'num'}, text);
  const cells = table.tab === 'steps'
    ? [number(`%${row.id}`), make('span', {class: 'type'}, row.type)]
    : [number(format.count(row.count))];
  cells.push(number(format.bytes(row.bytes)));
  if (model.timed) cells.push(number(format.time(row.time)));
  const chosen = table.tab === 'steps' && row.id === scene.selected;
  return make('button', {
    class: `row ${table.tab}${model.timed ? ' timed' : ''}${chosen ? ' chosen' : ''}`,
    'data-value': row.id ?? null, title: row.text ?? null,
    style: `top: ${at * ROW}px; --share: ${share.toFixed(1)}%; --bar: var(--family-${row.family})`,
    click: () => table.tab === 'steps' ? select(row.id, true) : searchFor(row.op),
  }, make('span', {class: 'name'}, dot(row.family), make('span', {}, row.op)), ...cells);
}

// ---- the legend

function showLegend() {
  const legend = byId('legend');
  const entries = [];
  if (scene.colour === 'family') {
    const there = new Set(model.values.map((value) => value.family));
    for (const family of FAMILIES)
      if (there.has(family)) entries.push(make('span', {}, dot(family), family));
  } else if (scene.range) {
    const say = scene.colour === 'time' ? format.time : format.bytes;
    entries.push(make('span', {class: 'scale'}, say(scene.range.least), make('i', {class: 'ramp'}),
                      say(scene.range.most)));
  } else {
    entries.push(make('span', {}, `no ${scene.colour} known`));
  }
  entries.push(make('span', {}, make('i', {class: 'ring'}), 'root'));
  if (model.groups.size > 0) entries.push(make('span', {}, make('i', {class: 'blob'}), 'fused'));
  legend.replaceChildren(...entries);
}
