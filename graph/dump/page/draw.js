// draw.js -- the graph on its canvas: camera, boxes, edges, hulls of fused groups, the small map.
'use strict';

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';
const MONO = 'ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace';
const FONTS = {
  main: `600 13px ${FONT}`, small: `11px ${MONO}`, label: `italic 12px ${FONT}`,
};
const MIN_WIDTH = 116, MAX_WIDTH = 260, PAD = 12, LINE = 17;
const GIVEN_WIDTH = 180, GIVEN_FAR = 260; // given positions: box width, longest edge drawn in full
const TEXT_FROM = 0.4; // the scale below which boxes are shown without text
const HULL = 11;       // margin of a fused group's hull around its boxes

const canvas = document.getElementById('graph');
const pen = canvas.getContext('2d');
const camera = {x: 0, y: 0, scale: 1};
const scene = {
  width: 0, height: 0, bounds: null, chips: [], colour: 'family', range: null, theme: {},
  selected: null, hovered: null, matches: null, dirty: false,
};

// ---- colours

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ['canvas', 'card', 'line', 'edge', 'ink', 'soft', 'accent', 'mark', 'hull',
                      'hull-line', 'heat-0', 'heat-1', 'heat-2',
                      ...FAMILIES.map((family) => `family-${family}`)])
    scene.theme[name] = style.getPropertyValue(`--${name}`).trim();
}

function mix(a, b, part) {
  const channel = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) =>
    Math.round(channel(a, at) * (1 - part) + channel(b, at) * part).toString(16).padStart(2, '0'));
  return `#${mixed.join('')}`;
}

function heat(part) {
  const {theme} = scene;
  return part < 0.5 ? mix(theme['heat-0'], theme['heat-1'], part * 2)
                    : mix(theme['heat-1'], theme['heat-2'], part * 2 - 1);
}

/// Time and bytes are coloured by their logarithm, over the range of the shown items.
function measureRange() {
  scene.range = null;
  if (scene.colour === 'family') return;
  const all = view.items.map((item) => item[scene.colour]).filter((amount) => amount > 0);
  if (all.length === 0) return;
  scene.range = {least: all.reduce((a, b) => Math.min(a, b)), most: all.reduce((a, b) => Math.max(a, b))};
}

function colourOf(item) {
  if (scene.colour === 'family') {
    if (item.kind !== 'value') return scene.theme.accent;
    return scene.theme[`family-${item.family}`] ?? scene.theme.soft;
  }
  const amount = item[scene.colour];
  if (!(amount > 0) || !scene.range) return scene.theme.edge;
  const {least, most} = scene.range;
  return heat(most > least ? Math.log(amount / least) / Math.log(most / least) : 1);
}

// ---- boxes

function measureItem(item) {
  const width = (font, text) => {
    pen.font = FONTS[font];
    return pen.measureText(text).width;
  };
  const {main, side, under, label, cost} = item.lines;
  const widest = Math.max(width('main', main) + 14 + width('small', side),
                          width('small', under) + (cost ? 14 + width('small', cost) : 0),
                          label ? width('label', label) : 0);
  item.w = Math.round(Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, widest + 2 * PAD + 5)));
  item.h = 2 * LINE + 14 + (label ? LINE - 1 : 0);
}

/// Measures and places all shown items, and finds their bounds.
function arrange() {
  view.build();
  view.items.forEach(measureItem);
  const given = model.positions && view.runs.length === 0 && view.closedGroups.size === 0;
  if (given) {
    for (const item of view.items) {
      [item.x, item.y] = model.positions[item.members[0].id];
      item.w = Math.min(item.w, GIVEN_WIDTH);
    }
    for (const edge of view.edges) edge.via = edge.to.y - edge.from.y < GIVEN_FAR ? [] : null;
  } else {
    layOut(view.items, view.edges);
  }
  const bounds = {left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity};
  for (const {x, y, w, h} of view.items) {
    bounds.left = Math.min(bounds.left, x - w / 2);
    bounds.right = Math.max(bounds.right, x + w / 2);
    bounds.top = Math.min(bounds.top, y - h / 2);
    bounds.bottom = Math.max(bounds.bottom, y + h / 2);
  }
  scene.bounds = view.items.length > 0 ? bounds : {left: 0, top: 0, right: 1, bottom: 1};
  findHulls();
  measureRange();
  drawMap();
  requestDraw();
}

/// The open fused groups: their boxes, the edges inside, and the chip that closes them.
function findHulls() {
  const hulls = new Map();
  for (const item of view.items) {
    const group = item.kind === 'value' ? item.members[0].group : null;
    if (group === null) continue;
    if (!hulls.has(group)) hulls.set(group, {group, items: [], edges: []});
    hulls.get(group).items.push(item);
  }
  for (const edge of view.edges) {
    const group = edge.from.members[0].group;
    if (group !== null && edge.from.kind === 'value' && edge.to.kind === 'value' &&
        edge.to.members[0].group === group)
      hulls.get(group).edges.push(edge);
  }
  scene.hulls = [...hulls.values()].filter((hull) => hull.items.length > 1);
  pen.font = `600 11px ${FONT}`;
  scene.chips = scene.hulls.map((hull) => {
    const top = hull.items.reduce((a, b) => b.y - b.h / 2 < a.y - a.h / 2 ? b : a);
    const text = `fused ×${model.groups.get(hull.group).length}`;
    const w = pen.measureText(text).width + 30;
    return {group: hull.group, text, w, h: 18, x: top.x - top.w / 2 - HULL + w / 2 + 4,
            y: top.y - top.h / 2 - HULL};
  });
}

// ---- camera

const toScreen = ({x, y}) => ({
  x: (x - camera.x) * camera.scale + scene.width / 2,
  y: (y - camera.y) * camera.scale + scene.height / 2,
});
const toWorld = (x, y) => ({
  x: (x - scene.width / 2) / camera.scale + camera.x,
  y: (y - scene.height / 2) / camera.scale + camera.y,
});

function zoomAt(x, y, factor) {
  const point = toWorld(x, y);
  camera.scale = Math.min(3, Math.max(fitScale() * 0.5, 0.002, camera.scale * factor));
  camera.x = point.x - (x - scene.width / 2) / camera.scale;
  camera.y = point.y - (y - scene.height / 2) / camera.scale;
  requestDraw();
}

function fitScale() {
  const {left, top, right, bottom} = scene.bounds;
  return Math.min(1.15, (scene.width - 64) / (right - left), (scene.height - 64) / (bottom - top));
}

function fitAll() {
  const {left, top, right, bottom} = scene.bounds;
  moveTo({x: (left + right) / 2, y: (top + bottom) / 2, scale: Math.max(0.002, fitScale())});
}

/// Shows the whole graph where it is readable, else its beginning.
function openingView() {
  fitAll();
  flight = null;
  const scale = Math.max(0.002, fitScale());
  Object.assign(camera, {x: (scene.bounds.left + scene.bounds.right) / 2,
                         y: (scene.bounds.top + scene.bounds.bottom) / 2, scale});
  if (scale >= 0.5) return requestDraw();
  camera.scale = 0.85;
  const top = view.items.filter((item) => item.y < scene.bounds.top + scene.height / camera.scale * 0.7);
  camera.x = top.reduce((sum, item) => sum + item.x, 0) / top.length;
  camera.y = scene.bounds.top + (scene.height / 2 - 28) / camera.scale;
  requestDraw();
}

let flight = null; // the move of the camera that is in progress
const calm = matchMedia('(prefers-reduced-motion: reduce)');
function moveTo(target) {
  if (calm.matches) {
    flight = null;
    Object.assign(camera, target);
  } else {
    flight = {from: {...camera}, to: {...camera, ...target}, start: performance.now(), time: 260};
  }
  requestDraw();
}
function fly(now) {
  if (!flight) return;
  const part = Math.min(1, Math.max(0, (now - flight.start) / flight.time));
  const eased = 1 - (1 - part) ** 3;
  for (const key of ['x', 'y', 'scale'])
    camera[key] = flight.from[key] + (flight.to[key] - flight.from[key]) * eased;
  if (part === 1) flight = null;
  else requestDraw();
}

/// Brings a box into view, and near enough to be read.
function showItem(item) {
  const scale = Math.max(camera.scale, 0.75);
  const at = toScreen(item);
  const inside = at.x > 90 && at.x < scene.width - 90 && at.y > 60 && at.y < scene.height - 60;
  if (!inside || scale !== camera.scale) moveTo({x: item.x, y: item.y, scale});
}

function hit(x, y) {
  const at = toWorld(x, y);
  const within = (box) =>
    Math.abs(at.x - box.x) <= box.w / 2 && Math.abs(at.y - box.y) <= box.h / 2;
  if (camera.scale >= TEXT_FROM) {
    const chip = scene.chips.find(within);
    if (chip) return {chip};
  }
  const item = view.items.findLast(within);
  return item ? {item} : {};
}

// ---- drawing

function requestDraw() {
  if (scene.dirty) return;
  scene.dirty = true;
  requestAnimationFrame((now) => {
    scene.dirty = false;
    fly(now);
    drawGraph();
  });
}

function resize() {
  const ratio = window.devicePixelRatio || 1;
  // The upper left corner stays where it is.
  camera.x += (canvas.clientWidth - scene.width) / 2 / camera.scale;
  camera.y += (canvas.clientHeight - scene.height) / 2 / camera.scale;
  scene.width = canvas.clientWidth;
  scene.height = canvas.clientHeight;
  canvas.width = Math.round(scene.width * ratio);
  canvas.height = Math.round(scene.height * ratio);
  drawGraph(); // at once, because resizing empties a canvas
}

function drawGraph() {
  const ratio = window.devicePixelRatio || 1;
  const {theme} = scene;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = theme.canvas;
  pen.fillRect(0, 0, scene.width, scene.height);
  pen.translate(scene.width / 2, scene.height / 2);
  pen.scale(camera.scale, camera.scale);
  pen.translate(-camera.x, -camera.y);
  const a = toWorld(0, 0), b = toWorld(scene.width, scene.height);
  const seen = ({x, y, w, h}) =>
    x + w / 2 + 20 > a.x && x - w / 2 - 20 < b.x && y + h / 2 + 20 > a.y && y - h / 2 - 20 < b.y;
  const crosses = ({from, to}) => Math.max(from.y, to.y) > a.y && Math.min(from.y, to.y) < b.y;

  scene.hulls.forEach(drawHull);
  const chosen = scene.selected === null ? undefined : view.itemOf[scene.selected];
  const special = [];
  const few = view.edges.length < 400;
  for (const edge of view.edges) {
    if (!crosses(edge)) continue;
    if (chosen && (edge.from === chosen || edge.to === chosen)) special.push(edge);
    else drawEdge(edge, theme.edge, edge.via ? 0.9 : few ? 0.45 : 0.22, 1.2);
  }
  for (const edge of special)
    drawEdge(edge, edge.to === chosen ? theme.accent : theme.mark, 1, 2.2);
  for (const item of view.items)
    if (seen(item)) drawItem(item, item === chosen);
  if (camera.scale >= TEXT_FROM) scene.chips.filter(seen).forEach(drawChip);
  drawMapFrame(a, b);
}

function trace({from, to, via}) {
  const points = [{x: from.x, y: from.y + from.h / 2}, ...(via ?? []), {x: to.x, y: to.y - to.h / 2}];
  pen.moveTo(points[0].x, points[0].y);
  for (let at = 1; at < points.length; ++at) {
    const p = points[at - 1], q = points[at];
    const middle = (p.y + q.y) / 2;
    if (Math.abs(p.x - q.x) < 0.5) pen.lineTo(q.x, q.y);
    else pen.bezierCurveTo(p.x, middle, q.x, middle, q.x, q.y);
  }
}

function drawEdge(edge, colour, alpha, width) {
  const dim = scene.matches && !(isMatch(edge.from) && isMatch(edge.to)) ? 0.35 : 1;
  pen.globalAlpha = alpha * dim;
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = Math.max(width, 0.6 / camera.scale);
  pen.beginPath();
  trace(edge);
  pen.stroke();
  if (camera.scale >= TEXT_FROM) {
    const {x, y, h} = edge.to, tip = y - h / 2;
    pen.beginPath();
    pen.moveTo(x, tip);
    pen.lineTo(x - 3.6, tip - 6.5);
    pen.lineTo(x + 3.6, tip - 6.5);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

/// One shape around boxes and the edges between them, drawn twice: the larger one is the outline.
function drawHull({items, edges}) {
  const shape = (grow, colour) => {
    pen.fillStyle = pen.strokeStyle = colour;
    pen.lineWidth = HULL + 2 * grow;
    pen.lineJoin = pen.lineCap = 'round';
    pen.beginPath();
    edges.forEach(trace);
    pen.stroke();
    pen.beginPath();
    for (const {x, y, w, h} of items)
      pen.roundRect(x - w / 2 - HULL - grow, y - h / 2 - HULL - grow, w + 2 * (HULL + grow),
                    h + 2 * (HULL + grow), 14 + grow);
    pen.fill();
  };
  shape(1.2, scene.theme['hull-line']);
  shape(0, scene.theme.hull);
}

function drawChip({x, y, w, h, text}) {
  const {theme} = scene;
  pen.beginPath();
  pen.roundRect(x - w / 2, y - h / 2, w, h, h / 2);
  pen.fillStyle = theme.card;
  pen.strokeStyle = theme['hull-line'];
  pen.lineWidth = 1.2;
  pen.fill();
  pen.stroke();
  pen.font = `600 11px ${FONT}`;
  pen.fillStyle = theme.ink;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.fillText(text, x - w / 2 + 8, y + 0.5);
  pen.fillRect(x + w / 2 - 16, y - 0.75, 8, 1.5);
}

const isMatch = (item) =>
  !scene.matches || item.members.some((member) => scene.matches.has(member.id));

function drawItem(item, chosen) {
  const {theme} = scene;
  const {x, y, w, h} = item;
  const colour = colourOf(item);
  const input = item.members[0].input;
  const left = x - w / 2, top = y - h / 2;
  const radius = input ? h / 2 : 7;
  pen.globalAlpha = isMatch(item) ? 1 : 0.22;
  const box = (grow, shift = 0) => {
    pen.beginPath();
    pen.roundRect(left - grow + shift, top - grow + shift, w + 2 * grow, h + 2 * grow, radius + grow);
  };
  if (camera.scale < TEXT_FROM) {
    pen.fillStyle = chosen ? theme.accent : mix(theme.card, colour, 0.75);
    box(chosen ? 4 / camera.scale : 0);
    pen.fill();
    if (item.root) outline(3, theme.ink, Math.max(1.5, 0.8 / camera.scale));
    pen.globalAlpha = 1;
    return;
  }
  function outline(grow, stroke, width) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width;
    box(grow);
    pen.stroke();
  }
  const fill = mix(theme.card, colour, scene.colour === 'family' ? 0.1 : 0.22);
  const border = mix(theme.card, colour, 0.55);
  if (item.kind === 'run')
    for (const shift of [7, 3.5]) {
      pen.fillStyle = theme.card;
      pen.strokeStyle = border;
      pen.lineWidth = 1;
      box(0, shift);
      pen.fill();
      pen.stroke();
    }
  pen.fillStyle = theme.card;
  box(0);
  pen.fill();
  pen.fillStyle = fill;
  pen.fill();
  if (!input) {
    pen.save();
    pen.clip();
    pen.fillStyle = colour;
    pen.fillRect(left, top, scene.colour === 'family' ? 5 : 8, h);
    pen.restore();
  }
  outline(0, border, 1);
  if (item.root) outline(3.5, theme.ink, 1.4);
  if (chosen) outline(item.root ? 7 : 3, theme.accent, 2.5);
  else if (item === scene.hovered) outline(item.root ? 6 : 2, theme.soft, 1.2);
  drawLines(item, left + PAD + (input ? 4 : 5), left + w - PAD - (input ? 4 : 0), top);
  pen.globalAlpha = 1;
}

function drawLines({lines}, left, right, top) {
  const {theme} = scene;
  pen.textBaseline = 'middle';
  let y = top + 7 + LINE / 2;
  const row = (font, colour, text, beside) => {
    let room = right - left;
    if (beside) {
      pen.font = FONTS.small;
      pen.fillStyle = theme.soft;
      pen.textAlign = 'right';
      pen.fillText(beside, right, y);
      room -= pen.measureText(beside).width + 10;
    }
    pen.font = FONTS[font];
    pen.fillStyle = colour;
    pen.textAlign = 'left';
    pen.fillText(fitted(text, room), left, y);
    y += LINE;
  };
  row('main', theme.ink, lines.main, lines.side);
  row('small', theme.soft, lines.under, lines.cost);
  if (lines.label) row('label', theme.ink, lines.label, '');
}

function fitted(text, width) {
  if (pen.measureText(text).width <= width) return text;
  let keep = Math.floor(text.length * width / pen.measureText(text).width);
  while (keep > 1 && pen.measureText(`${text.slice(0, keep)}…`).width > width) --keep;
  return `${text.slice(0, keep)}…`;
}

// ---- the small map, shown when not everything is in view

const map = document.getElementById('map');
const mapPen = map.getContext('2d');
const mapBase = document.createElement('canvas');
const mapView = {scale: 1, width: 0, height: 0};

function drawMap() {
  const {left, top, right, bottom} = scene.bounds;
  mapView.scale = Math.min(170 / (right - left), 230 / (bottom - top));
  mapView.width = Math.max(24, (right - left) * mapView.scale);
  mapView.height = Math.max(24, (bottom - top) * mapView.scale);
  const ratio = window.devicePixelRatio || 1;
  for (const each of [map, mapBase]) {
    each.width = Math.round((mapView.width + 12) * ratio);
    each.height = Math.round((mapView.height + 12) * ratio);
  }
  map.style.width = `${mapView.width + 12}px`;
  map.style.height = `${mapView.height + 12}px`;
  const base = mapBase.getContext('2d');
  base.scale(ratio, ratio);
  base.translate(6, 6);
  for (const item of view.items) {
    base.fillStyle = mix(scene.theme.card, colourOf(item), 0.75);
    base.fillRect((item.x - item.w / 2 - left) * mapView.scale, (item.y - item.h / 2 - top) * mapView.scale,
                  Math.max(1, item.w * mapView.scale), Math.max(1, item.h * mapView.scale));
  }
}

function drawMapFrame(a, b) {
  const {left, top, right, bottom} = scene.bounds;
  map.hidden = a.x <= left && a.y <= top && b.x >= right && b.y >= bottom;
  if (map.hidden) return;
  const ratio = window.devicePixelRatio || 1;
  mapPen.setTransform(1, 0, 0, 1, 0, 0);
  mapPen.clearRect(0, 0, map.width, map.height);
  mapPen.drawImage(mapBase, 0, 0);
  mapPen.setTransform(ratio, 0, 0, ratio, 6 * ratio, 6 * ratio);
  const clamp = (value, most) => Math.min(most, Math.max(0, value));
  const x = clamp((a.x - left) * mapView.scale, mapView.width);
  const y = clamp((a.y - top) * mapView.scale, mapView.height);
  mapPen.strokeStyle = scene.theme.accent;
  mapPen.lineWidth = 1.5;
  mapPen.strokeRect(x, y, Math.max(3, clamp((b.x - left) * mapView.scale, mapView.width) - x),
                    Math.max(3, clamp((b.y - top) * mapView.scale, mapView.height) - y));
}
