'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = id => document.getElementById(id);
  const canvas = $('graph'), g = canvas.getContext('2d');
  const ROW = 19, FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
  // One hue for each group of stages; runtime and the rest are grey.
  const groups = { requests: 210, events: 178, engine: 268, store: 28, calls: 138 };

  // A view's numbers become arrays: depth, name, stage, value, start, parent.
  function load(v) {
    const n = v.nodes.length / 4, last = [], used = [];
    const t = { title: v.name, unit: v.unit, per: v.per, sums: v.sums, n, depth: new Int32Array(n), name: new Int32Array(n), stage: new Int32Array(n), value: new Float64Array(n),
      start: new Float64Array(n), parent: new Int32Array(n), self: new Float64Array(n), height: 0 };
    for (let i = 0; i < n; i++) {
      const d = t.depth[i] = v.nodes[4 * i], p = d ? last[d - 1] : -1;
      t.name[i] = v.nodes[4 * i + 1]; t.stage[i] = v.nodes[4 * i + 2];
      t.value[i] = t.self[i] = v.nodes[4 * i + 3];
      t.parent[i] = p;
      t.start[i] = p < 0 ? 0 : t.start[p] + used[p];
      if (p >= 0) { used[p] += t.value[i]; t.self[p] -= t.value[i]; }
      used[i] = 0; last[d] = i; t.height = Math.max(t.height, d + 1);
    }
    return t;
  }
  const views = data.views.map(load);
  let view = views[0], root = 0, hover = -1, pattern = null, matched = null;

  const dark = () => document.documentElement.dataset.theme === 'dark';
  function colour(stage, strength) {
    const [group, rest] = data.stages[stage].split(': ');
    const h = groups[group];
    const shift = rest ? (rest.length * 7) % 13 - 6 : 0; // neighbours of a group differ a little
    const s = h === undefined ? (group === 'runtime' ? 8 : 4) : dark() ? 38 : 52;
    const l = (dark() ? 33 : 77) + shift * (dark() ? 0.8 : 0.9) + (strength || 0);
    return `hsl(${(h || 40) + shift} ${s}% ${l}%)`;
  }

  function amount(v, unit) {
    const scaled = (units, step) => { let i = 0; while (v >= step && i < units.length - 1) { v /= step; i++; } return number(v) + ' ' + units[i]; };
    switch (unit) {
      case 'ns': return scaled(['ns', 'µs', 'ms', 's'], 1000);
      case 'bytes': return scaled(['B', 'KiB', 'MiB', 'GiB'], 1024);
    }
    return number(v) + ' ' + unit;
  }
  const number = v => v.toLocaleString('en', v >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
  const percent = (a, b) => (100 * a / b).toFixed(a === b ? 0 : a / b < 0.1 ? 2 : 1) + ' %';
  const cost = v => amount(v, view.unit) + (view.per ? '; ' + amount(v / view.per, view.unit) + ' per ' + data.per : '');

  // A function is drawn without the path of its package: "engine.(*worker).round".
  function short(name) {
    name = name.replace(/\/v\d+\./, '.'); // the major version is no name
    const cut = name.indexOf('[') < 0 ? name.length : name.indexOf('[');
    return name.slice(name.lastIndexOf('/', cut) + 1);
  }

  function visible(i) {
    const end = view.start[root] + view.value[root];
    if (view.depth[i] <= view.depth[root]) return view.start[i] <= view.start[root] && view.start[i] + view.value[i] >= end;
    return view.start[i] >= view.start[root] && view.start[i] < end && inside(i);
  }
  function inside(i) { while (view.depth[i] > view.depth[root]) i = view.parent[i]; return i === root; }

  let boxes = []; // of the last drawing, by row
  function draw() {
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    boxes = [];
    const scale = width / view.value[root], left = view.start[root];
    const drawn = [];
    let rows = 0;
    for (let i = 0; i < view.n; i++) {
      const above = view.depth[i] <= view.depth[root];
      const w = above ? width : view.value[i] * scale;
      if (w < 0.4 || !visible(i)) continue;
      const x = above ? 0 : (view.start[i] - left) * scale;
      drawn.push([i, x, w]);
      rows = Math.max(rows, view.depth[i] + 1);
      (boxes[view.depth[i]] ||= []).push([i, x, w]);
    }
    canvas.style.height = rows * ROW + 'px';
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(rows * ROW * ratio);
    g.scale(ratio, ratio);
    g.font = FONT; g.textBaseline = 'middle';
    const css = getComputedStyle(document.documentElement), text = css.getPropertyValue('--text'), dim = css.getPropertyValue('--dim');
    for (const [i, x, w] of drawn) {
      const y = view.depth[i] * ROW, off = matched && !matched[i], above = view.depth[i] < view.depth[root];
      g.globalAlpha = off ? (dark() ? 0.45 : 0.28) : above ? 0.55 : 1;
      g.fillStyle = matched && matched[i] ? (dark() ? '#b3458c' : '#f07bc4') : i === 0 ? (dark() ? '#33373e' : '#e3e5e9') : colour(view.stage[i], i === hover ? (dark() ? 9 : -9) : 0);
      g.fillRect(x, y, Math.max(w - (w > 3 ? 1 : 0), 0.4), ROW - 1);
      if (w > 26) {
        g.globalAlpha = off ? 0.7 : 1;
        g.fillStyle = off || above ? dim : text;
        label(i === 0 ? 'all: ' + cost(view.value[0]) : short(data.names[view.name[i]]), x, y, w);
      }
    }
    g.globalAlpha = 1;
  }
  const letter = (() => { g.font = FONT; return g.measureText('m').width; })();
  function label(s, x, y, w) {
    const room = Math.floor((w - 8) / letter);
    if (room < 3) return;
    g.fillText(s.length > room ? s.slice(0, room - 1) + '…' : s, x + 4, y + ROW / 2);
  }

  function at(e) {
    const r = canvas.getBoundingClientRect(), x = e.clientX - r.left;
    for (const [i, bx, w] of boxes[Math.floor((e.clientY - r.top) / ROW)] || []) if (x >= bx && x < bx + w) return i;
    return -1;
  }

  function zoom(i) { root = i; hover = -1; path(); draw(); }
  function path() {
    const list = [];
    for (let i = root; i >= 0; i = view.parent[i]) list.unshift(i);
    const shown = list.length > 6 ? [list[0], ...list.slice(-5)] : list;
    $('path').replaceChildren(...shown.map(i => {
      const li = document.createElement('li'), b = document.createElement('button');
      b.textContent = i === 0 ? 'all' : short(data.names[view.name[i]]);
      b.onclick = () => zoom(i);
      li.append(b);
      return li;
    }));
  }

  // The share of a search counts a stack once, where it first matches.
  function search() {
    const text = $('search').value.trim();
    let bad = false;
    try { pattern = text ? new RegExp(text, 'i') : null; } catch { pattern = null; bad = true; }
    $('search').classList.toggle('bad', bad);
    matched = null;
    let sum = 0, count = 0;
    if (pattern) {
      const hit = data.names.map(n => pattern.test(n));
      matched = new Uint8Array(view.n);
      const under = new Uint8Array(view.n);
      for (let i = 0; i < view.n; i++) {
        const p = view.parent[i];
        under[i] = p >= 0 && (under[p] || matched[p]) ? 1 : 0;
        if (i && hit[view.name[i]]) { matched[i] = 1; count++; if (!under[i]) sum += view.value[i]; }
      }
    }
    $('found').textContent = bad ? 'not a regular expression' : pattern ? `${count} ${count === 1 ? 'place' : 'places'}, ${percent(sum, view.value[0])}: ${cost(sum)}` : '';
    draw();
  }

  function tip(e, i) {
    const t = $('tip');
    t.hidden = i < 0;
    if (i < 0) return;
    const line = s => { const el = document.createElement('span'); el.textContent = s; return el; };
    const head = document.createElement('strong');
    head.textContent = i === 0 ? 'all' : data.names[view.name[i]];
    const lines = [line(cost(view.value[i])), line(percent(view.value[i], view.value[0]) + ' of all' +
      (i ? ', ' + percent(view.value[i], view.value[view.parent[i]]) + ' of its caller' : '') + ', itself ' + percent(view.self[i], view.value[0]))];
    if (i) lines.push(line(data.stages[view.stage[i]]));
    t.replaceChildren(head, ...lines);
    const w = t.offsetWidth, h = t.offsetHeight;
    t.style.left = Math.max(4, Math.min(e.clientX + 14, innerWidth - w - 4)) + 'px';
    t.style.top = (e.clientY + 18 + h > innerHeight ? Math.max(4, e.clientY - h - 10) : e.clientY + 18) + 'px';
  }

  function legend() {
    const sums = view.sums;
    $('legend').replaceChildren(...data.stages.flatMap((s, i) => {
      if (sums[i] < view.value[0] / 1000) return [];
      const el = document.createElement('span'), b = document.createElement('b');
      el.style.setProperty('--c', colour(i));
      b.textContent = percent(sums[i], view.value[0]);
      el.append(s + ' ', b);
      return [el];
    }));
  }

  function select(v) {
    view = v; root = 0; hover = -1;
    for (const b of $('tabs').children) b.setAttribute('aria-selected', b.textContent === v.title);
    path(); search(); legend();
  }

  if (!view) { document.querySelector('main').textContent = 'No samples.'; return; }
  $('tabs').replaceChildren(...views.map(v => {
    const b = document.createElement('button');
    b.type = 'button'; b.role = 'tab'; b.textContent = v.title;
    b.onclick = () => select(v);
    return b;
  }));
  canvas.onmousemove = e => { const i = at(e); if (i !== hover) { hover = i; draw(); } tip(e, i); };
  canvas.onmouseleave = e => { hover = -1; tip(e, -1); draw(); };
  canvas.onclick = e => { const i = at(e); if (i >= 0) zoom(i); tip(e, -1); };
  $('search').oninput = search;
  const paint = () => { draw(); legend(); };
  const system = matchMedia('(prefers-color-scheme: dark)');
  const theme = d => { document.documentElement.dataset.theme = d ? 'dark' : 'light'; document.documentElement.style.colorScheme = d ? 'dark' : 'light'; paint(); };
  $('theme').onclick = () => theme(!dark());
  system.onchange = e => theme(e.matches);
  onresize = draw;
  onkeydown = e => {
    const typing = e.target === $('search');
    if (e.key === 'Escape' && typing && $('search').value) { $('search').value = ''; search(); }
    else if (e.key === 'Escape') zoom(0);
    else if (typing) return;
    else if (e.key === '/') { e.preventDefault(); $('search').focus(); }
    else if (e.key === 'Backspace' && view.parent[root] >= 0) zoom(view.parent[root]);
  };
  // A link may name a tab, a search and a theme: #CPU/mallocgc/dark.
  const [tab, find, mode] = decodeURIComponent(location.hash.slice(1)).split('/');
  if (find) $('search').value = find;
  select(views.find(v => v.title === tab) || views[0]);
  theme(mode ? mode === 'dark' : system.matches);
})();
