// layout.js -- a layered layout: ranks of bounded width, few crossings, straight long edges.
'use strict';

const GAP_X = 22, GAP_Y = 40, LANE = 12; // LANE: the width of a passing edge

/// Lays out `nodes`, which have {w, h} and get x and y of their centres. `edges` have {from, to},
/// both nodes, and get `via`: points between, or null for a straight edge.
function layOut(nodes, edges) {
  const count = nodes.length;
  const place = new Map(nodes.map((node, index) => [node, index]));
  const before = nodes.map(() => []), after = nodes.map(() => []);
  for (const edge of edges) {
    after[place.get(edge.from)].push(place.get(edge.to));
    before[place.get(edge.to)].push(place.get(edge.from));
  }
  const rank = rankNodes(before, after);
  const layers = [];
  const cells = nodes.map((node, index) => cell(node.w, rank[index], node));
  function cell(width, layer, node) {
    const made = {width, layer, node, up: [], down: [], x: 0, at: 0};
    (layers[layer] ??= []).push(made);
    return made;
  }
  for (let layer = 0; layer < layers.length; ++layer) layers[layer] ??= [];

  // A node has one lane down to all of its users that are farther below. Short edges get lanes
  // first, as long as more cells are allowed.
  let room = 3000 + 8 * count;
  const lanesOf = new Map(cells.map((each) => [each, []]));
  const routes = edges.map((edge) => {
    const from = cells[place.get(edge.from)], to = cells[place.get(edge.to)];
    return {edge, from, to, span: to.layer - from.layer, lanes: []};
  }).sort((a, b) => a.span - b.span);
  for (const route of routes) {
    const lanes = lanesOf.get(route.from);
    route.edge.via = null;
    if (route.span < 1 || route.span - 1 - lanes.length > room) continue;
    const join = (upper, lower) => {
      upper.down.push(lower);
      lower.up.push(upper);
    };
    while (lanes.length < route.span - 1) {
      const lane = cell(LANE, route.from.layer + 1 + lanes.length, null);
      join(lanes[lanes.length - 1] ?? route.from, lane);
      lanes.push(lane);
      --room;
    }
    join(lanes[route.span - 2] ?? route.from, route.to);
    route.edge.via = [];
    route.lanes = lanes.slice(0, route.span - 1);
  }

  order(layers);
  align(layers);

  let y = 0;
  const centre = [];
  for (const layer of layers) {
    const height = Math.max(30, ...layer.map((each) => each.node?.h ?? 0));
    centre.push(y + height / 2);
    y += height + GAP_Y;
  }
  cells.forEach((each, index) => {
    nodes[index].x = each.x;
    nodes[index].y = centre[each.layer];
  });
  for (const lanes of lanesOf.values()) straighten(lanes);
  for (const route of routes)
    if (route.edge.via)
      route.edge.via = route.lanes.map((lane) => ({x: lane.x, y: centre[lane.layer]}));
}

/// Moves lanes that are almost above one another to one x, so that edges bend only where they must.
function straighten(lanes) {
  for (let from = 0; from < lanes.length;) {
    let least = lanes[from].x, most = least, to = from + 1;
    for (; to < lanes.length; ++to) {
      least = Math.min(least, lanes[to].x);
      most = Math.max(most, lanes[to].x);
      if (most - least > 2.5 * LANE) break;
    }
    const x = lanes.slice(from, to).reduce((sum, lane) => sum + lane.x, 0) / (to - from);
    for (; from < to; ++from) lanes[from].x = x;
  }
}

/// Ranks by the longest path from the sources, with no rank much wider than the graph is deep.
/// Sources are right above their first users.
function rankNodes(before, after) {
  const count = before.length;
  const capacity = Math.max(10, Math.ceil(1.2 * Math.sqrt(count)));
  const rank = new Array(count).fill(0);
  const waiting = before.map((list) => list.length);
  const filled = [];
  const queue = [];
  const isInput = (node) => before[node].length === 0 && after[node].length > 0;
  const done = new Array(count).fill(false);
  const settle = (node) => {
    done[node] = true;
    if (!isInput(node)) {
      while ((filled[rank[node]] ?? 0) >= capacity) ++rank[node];
      filled[rank[node]] = (filled[rank[node]] ?? 0) + 1;
    }
    for (const next of after[node]) {
      if (!done[next])
        rank[next] = Math.max(rank[next], isInput(node) ? 1 : rank[node] + 1);
      if (--waiting[next] === 0) queue.push(next);
    }
  };
  for (let node = 0; node < count; ++node) if (waiting[node] === 0) queue.push(node);
  for (let at = 0; at < queue.length; ++at) if (!done[queue[at]]) settle(queue[at]);
  // Nodes that are left lie on a cycle, which closed groups can make. They keep the order given.
  for (let node = 0; node < count; ++node)
    if (!done[node]) {
      settle(node);
      for (let at = 0; at < queue.length; ++at) if (!done[queue[at]]) settle(queue[at]);
    }
  for (let node = 0; node < count; ++node) {
    if (!isInput(node)) continue;
    rank[node] = Math.min(...after[node].map((next) => rank[next])) - 1;
  }
  const least = Math.min(0, ...rank);
  return least === 0 ? rank : rank.map((each) => each - least);
}

/// Orders every layer by sweeps that sort by the neighbours' mean position. The best order is kept.
function order(layers) {
  const number = (layer) => layer.forEach((each, index) => { each.at = index; });
  layers.forEach(number);
  const cellCount = layers.reduce((sum, layer) => sum + layer.length, 0);
  const sweeps = cellCount > 8000 ? 6 : cellCount > 2500 ? 10 : 24;
  let best = layers.map((layer) => layer.slice()), fewest = crossings(layers);
  for (let sweep = 0; sweep < sweeps && fewest > 0; ++sweep) {
    const down = sweep % 2 === 0;
    const sequence = down ? layers : layers.slice().reverse();
    for (const layer of sequence) {
      for (const each of layer) {
        const near = down ? each.up : each.down;
        each.wish = near.length > 0
          ? near.reduce((sum, other) => sum + other.at, 0) / near.length : each.at;
      }
      layer.sort((a, b) => a.wish - b.wish || a.at - b.at);
      number(layer);
    }
    const now = crossings(layers);
    if (now >= fewest) continue;
    fewest = now;
    best = layers.map((layer) => layer.slice());
  }
  best.forEach((layer, index) => {
    layers[index] = layer;
    number(layer);
  });
}

/// Pairs of edges between neighbouring layers that cross: inversions, counted with a Fenwick tree.
function crossings(layers) {
  let total = 0;
  for (let index = 0; index + 1 < layers.length; ++index) {
    const size = layers[index + 1].length;
    const tree = new Int32Array(size + 1);
    let added = 0;
    for (const upper of layers[index]) {
      const ends = upper.down.map((lower) => lower.at).sort((a, b) => a - b);
      for (const end of ends) {
        let below = 0;
        for (let at = end + 1; at > 0; at -= at & -at) below += tree[at];
        total += added - below;
      }
      for (const end of ends) {
        ++added;
        for (let at = end + 1; at <= size; at += at & -at) ++tree[at];
      }
    }
  }
  return total;
}

/// Gives every cell its x: each layer as near to its neighbours as its order allows (pooling
/// adjacent violators). Lanes pull hardest, so that long edges run straight.
function align(layers) {
  for (const layer of layers) {
    let x = 0;
    for (const each of layer) {
      each.x = x + each.width / 2;
      x += each.width + GAP_X;
    }
    for (const each of layer) each.x -= x / 2;
  }
  const pull = (a, b) => a.node && b.node ? 1 : a.node || b.node ? 2 : 6;
  const passes = 14;
  for (let pass = 0; pass < passes; ++pass) {
    const down = pass % 2 === 0;
    const both = pass >= passes - 4;
    for (const layer of down ? layers : layers.slice().reverse()) {
      for (const each of layer) {
        let sum = 0, weight = 0;
        const add = (other) => {
          sum += other.x * pull(each, other);
          weight += pull(each, other);
        };
        if (both || down) each.up.forEach(add);
        if (both || !down) each.down.forEach(add);
        each.wish = weight > 0 ? sum / weight : each.x;
        each.weight = weight > 0 ? weight : 0.1;
      }
      settleLayer(layer);
    }
  }
}

function settleLayer(layer) {
  const blocks = [];
  let offset = 0;
  layer.forEach((each, index) => {
    if (index > 0) {
      const gap = each.node && layer[index - 1].node ? GAP_X : LANE;
      offset += (layer[index - 1].width + each.width) / 2 + gap;
    }
    each.offset = offset;
    let block = {sum: (each.wish - offset) * each.weight, weight: each.weight, from: index};
    while (blocks.length > 0) {
      const last = blocks[blocks.length - 1];
      if (last.sum / last.weight <= block.sum / block.weight) break;
      block = {sum: last.sum + block.sum, weight: last.weight + block.weight, from: last.from};
      blocks.pop();
    }
    blocks.push(block);
  });
  blocks.forEach((block, index) => {
    const to = index + 1 < blocks.length ? blocks[index + 1].from : layer.length;
    for (let at = block.from; at < to; ++at)
      layer[at].x = block.sum / block.weight + layer[at].offset;
  });
}
