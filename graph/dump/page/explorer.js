// explorer.js -- the page's actions: selecting, searching, opening and closing, keys and pointer.
'use strict';

// ---- selecting

/// Selects a value, null for none. `show` brings it into view, and opens the items that hide it.
function select(id, show = false) {
  if (id !== null && show && view.reveal(id)) rearrange(null);
  scene.selected = id;
  if (id !== null && show && view.itemOf[id]) showItem(view.itemOf[id]);
  showDetails();
  drawRows();
  byId('announce').textContent = id === null ? '' : model.values[id].text;
  requestDraw();
}

/// Lays out anew. The value `anchor` keeps its position on the screen.
function rearrange(anchor) {
  const before = anchor === null ? undefined : view.itemOf[anchor];
  const at = before && toScreen({x: before.x, y: before.y - before.h / 2});
  flight = null;
  arrange();
  const after = at && view.itemOf[anchor];
  if (after) {
    camera.x = after.x - (at.x - scene.width / 2) / camera.scale;
    camera.y = after.y - after.h / 2 - (at.y - scene.height / 2) / camera.scale;
  }
  showLegend();
  showToggle();
}

function openItem(item) {
  const first = item.members[0].id;
  if (item.kind === 'run') view.openRun(item.of);
  else view.closedGroups.delete(item.of);
  rearrange(first);
  select(first);
}

function toggleGroup(group) {
  if (!view.closedGroups.delete(group)) view.closedGroups.add(group);
  rearrange(model.groups.get(group)[0]);
  showDetails();
}

function collapseAround(step) {
  view.closeRun(step);
  rearrange(model.steps[step].id);
  showDetails();
}

/// The button that closes or opens everything: runs in a big batch, else fused groups.
function showToggle() {
  const button = byId('collapse');
  button.hidden = !view.hasRuns && model.groups.size === 0;
  const open = view.hasRuns ? view.runs.length < Math.ceil(model.steps.length / view.runLength)
                            : view.closedGroups.size < model.groups.size;
  const what = view.hasRuns ? 'steps' : 'fused groups';
  button.textContent = open || view.hasRuns ? `Collapse ${what}` : `Expand ${what}`;
  button.disabled = view.hasRuns && !open;
}

function toggleAll() {
  if (view.hasRuns) {
    view.closeAllRuns();
  } else if (view.closedGroups.size < model.groups.size) {
    for (const group of model.groups.keys()) view.closedGroups.add(group);
  } else {
    view.closedGroups.clear();
  }
  rearrange(null);
  openingView();
  showDetails();
}

// ---- searching

let found = [], foundAt = -1;

/// Finds the values whose op, %id, type, attributes, label or source location has each word.
function search(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  // %12 is the value of this id alone, and matches neither its users nor %120.
  const matches = (value) => words.every((word) =>
    /^%\d+$/.test(word) ? `%${value.id}` === word : value.haystack.includes(word));
  found = words.length > 0 ? model.values.filter(matches).map((value) => value.id) : [];
  foundAt = -1;
  scene.matches = words.length > 0 ? new Set(found) : null;
  byId('found').textContent = words.length === 0 ? ''
    : `${format.count(found.length)} match${found.length === 1 ? '' : 'es'}`;
  fillTable();
  requestDraw();
}

function searchFor(query) {
  byId('search').value = query;
  search(query);
}

function nextMatch(by) {
  if (found.length === 0) return;
  foundAt = (foundAt + by + found.length) % found.length;
  byId('found').textContent = `${format.count(foundAt + 1)} of ${format.count(found.length)}`;
  select(found[foundAt], true);
}

// ---- keys

/// Goes up to the operands, down to the users, left and right to the neighbours in the graph.
function walk(key) {
  if (scene.selected === null) return select(view.items[0]?.members[0].id ?? null, true);
  const value = model.values[scene.selected];
  if (key === 'ArrowUp') return follow(value.operands.filter((id) => id !== null));
  if (key === 'ArrowDown') return follow(value.users);
  const here = view.itemOf[value.id];
  if (!here) return;
  const level = view.items.filter((item) => Math.abs(item.y - here.y) < 1).sort((a, b) => a.x - b.x);
  const next = level[level.indexOf(here) + (key === 'ArrowLeft' ? -1 : 1)];
  if (next) select(next.members[0].id, true);
}

/// Selects the first of these values that is shown, else the first.
function follow(ids) {
  const next = ids.find((id) => view.itemOf[id]?.kind === 'value') ?? ids[0];
  if (next !== undefined) select(next, true);
}

function onKey(event) {
  const field = byId('search');
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.activeElement === field) {
    if (event.key === 'Enter') nextMatch(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape') field.value === '' ? canvas.focus() : searchFor('');
    else return;
    return event.preventDefault();
  }
  const acts = {
    '/': () => field.focus(),
    Escape: () => scene.selected !== null ? select(null) : searchFor(''),
    f: fitAll, '+': () => zoomCentre(1.3), '=': () => zoomCentre(1.3), '-': () => zoomCentre(1 / 1.3),
    n: () => nextMatch(1), N: () => nextMatch(-1),
    Enter: () => {
      const item = scene.selected === null ? undefined : view.itemOf[scene.selected];
      if (item && item.kind !== 'value') openItem(item);
    },
  };
  for (const arrow of ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'])
    acts[arrow] = () => walk(arrow);
  // Enter and arrows belong to a button or a list that has the focus.
  const busy = document.activeElement && document.activeElement !== document.body &&
               document.activeElement !== canvas && !document.activeElement.matches('.row, .link');
  if (!acts[event.key] || (busy && /^(Enter|Arrow)/.test(event.key))) return;
  if (event.key === 'Enter' && document.activeElement?.matches('.row, .link')) return;
  event.preventDefault();
  acts[event.key]();
}
const zoomCentre = (factor) => zoomAt(scene.width / 2, scene.height / 2, factor);

// ---- pointer

let drag = null;
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  flight = null;
  drag = {x: event.clientX, y: event.clientY, moved: false};
});
canvas.addEventListener('pointermove', (event) => {
  if (!drag) {
    const {item, chip} = hit(event.offsetX, event.offsetY);
    canvas.style.cursor = item || chip ? 'pointer' : 'grab';
    if (item !== scene.hovered) {
      scene.hovered = item;
      requestDraw();
    }
    return;
  }
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (!drag.moved && Math.hypot(dx, dy) < 4) return;
  canvas.style.cursor = 'grabbing';
  Object.assign(drag, {x: event.clientX, y: event.clientY, moved: true});
  camera.x -= dx / camera.scale;
  camera.y -= dy / camera.scale;
  requestDraw();
});
canvas.addEventListener('pointerup', (event) => {
  const moved = drag?.moved;
  drag = null;
  if (moved) return;
  const {item, chip} = hit(event.offsetX, event.offsetY);
  if (chip) toggleGroup(chip.group);
  else if (item && item.kind !== 'value') openItem(item);
  else select(item ? item.members[0].id : null);
});
canvas.addEventListener('pointercancel', () => { drag = null; });
canvas.addEventListener('wheel', (event) => {
  event.preventDefault();
  flight = null;
  if (event.shiftKey) {
    camera.x += (event.deltaX + event.deltaY) / camera.scale;
    return requestDraw();
  }
  const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
  zoomAt(event.offsetX, event.offsetY, Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015)));
}, {passive: false});

function jumpOnMap(event) {
  if (event.buttons === 0) return;
  flight = null;
  camera.x = scene.bounds.left + (event.offsetX - 6) / mapView.scale;
  camera.y = scene.bounds.top + (event.offsetY - 6) / mapView.scale;
  requestDraw();
}
map.addEventListener('pointerdown', (event) => {
  map.setPointerCapture(event.pointerId);
  jumpOnMap(event);
});
map.addEventListener('pointermove', jumpOnMap);

// ---- the bar on top

function colourBy(colour) {
  scene.colour = colour;
  for (const button of document.querySelectorAll('#colour button'))
    button.setAttribute('aria-pressed', String(button.dataset.colour === colour));
  measureRange();
  showLegend();
  drawMap();
  requestDraw();
}

const darkScheme = matchMedia('(prefers-color-scheme: dark)');
function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : darkScheme.matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  themeChanged();
}
function themeChanged() {
  readTheme();
  drawMap();
  requestDraw();
}

function start() {
  byId('title').textContent = model.title;
  byId('summary').textContent = [
    format.counted(model.steps.length, 'step'), format.counted(model.inputs.length, 'input'),
    format.counted(model.roots.length, 'root'), `${format.bytes(model.bytes)} of results`,
    ...(model.timed ? [format.time(model.time)] : [])].join('  ·  ');
  canvas.setAttribute('aria-label', `Graph of ${byId('summary').textContent}. Arrow keys walk from ` +
    'a step to its operands and users; the table beside it lists the steps.');
  for (const button of document.querySelectorAll('#colour button')) {
    button.hidden = button.dataset.colour === 'time' && !model.timed;
    button.addEventListener('click', () => colourBy(button.dataset.colour));
  }
  for (const tab of ['steps', 'ops'])
    byId(`tab-${tab}`).addEventListener('click', () => {
      table.tab = tab;
      fillTable();
    });
  byId('search').addEventListener('input', (event) => search(event.target.value));
  byId('rows').addEventListener('scroll', drawRows);
  byId('fit').addEventListener('click', fitAll);
  byId('collapse').addEventListener('click', toggleAll);
  byId('theme').addEventListener('click', toggleTheme);
  byId('help').addEventListener('click', () => byId('keys').showModal());
  document.addEventListener('keydown', onKey);
  darkScheme.addEventListener('change', themeChanged);

  readTheme();
  scene.width = canvas.clientWidth;
  scene.height = canvas.clientHeight;
  view.closeAllRuns();
  arrange();
  new ResizeObserver(resize).observe(canvas);
  new ResizeObserver(drawRows).observe(byId('rows'));
  resize();
  openingView();
  showLegend();
  showToggle();
  showDetails();
  fillTable();
}
start();
