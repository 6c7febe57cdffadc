// Closing a cell hides what is inside; the summed flow over its border stays.

const hiddenBox = (box) => state.shut[state.view].has(view().boxes[box].cell);

function toggleCell(cell, layer = false) {
  const shut = state.shut[state.view];
  const close = !shut.has(cell);
  const { cells } = view();
  for (let other = 0; other < cells.length; other += 1) {
    if (other !== cell && !(layer && cells[other].key === cells[cell].key)) continue;
    if (close) shut.add(other);
    else shut.delete(other);
  }
  redraw();
  const focus = close
    ? here().root.querySelector(`[data-shut="${cell}"]`)
    : here().boxes[view().boxes.findIndex((box) => box.cell === cell)];
  focus?.focus({ preventScroll: true });
}

function shutAll(close) {
  const shut = state.shut[state.view];
  shut.clear();
  if (close) view().cells.forEach((_, cell) => shut.add(cell));
  redraw();
}

function redraw() {
  const shown = view();
  const { root, boxes, edges, tags, cells } = here();
  const shut = state.shut[state.view];
  boxes.forEach((group, box) => group?.classList.toggle("inside", hiddenBox(box)));
  tags.forEach((group, tag) => group?.classList.toggle("inside", hiddenBox(shown.tags[tag].box)));
  cells.forEach((group, cell) => group?.classList.toggle("inside", shut.has(cell)));
  const bundles = new Map();
  shown.edges.forEach((edge, place) => {
    const start = standsFor(edge.from);
    const end = standsFor(edge.to);
    const whole = start === String(edge.from) && end === String(edge.to);
    edges[place]?.classList.toggle("inside", !whole);
    if (whole || start === end) return;
    const key = `${start}>${end}`;
    bundles.set(key, [...(bundles.get(key) ?? []), place]);
  });
  root.querySelector(".closed")?.remove();
  const layer = drawn("g", { class: "closed", transform: `translate(${shown.origin.join(" ")})` });
  here().bundles = [...bundles].map(([key, places]) => ({ places, group: bundle(key, shown) }));
  layer.append(...here().bundles.map(({ group }) => group));
  for (const cell of shut) layer.append(closedCell(cell, shown));
  root.append(layer);
  byId("shut-all").textContent = shut.size ? "Open all cells" : "Close all cells";
  byId("shut-all").setAttribute("aria-pressed", String(shut.size > 0));
  byId("shut-all").disabled = !shown.cells.length;
  tell("redrawn");
}

// What is closed looks like what it stands for: computed or not, lit or not.
function dress() {
  const { root, boxes, edges, bundles } = here();
  const of = (groups, name, how) => groups[how]((group) => group?.classList.contains(name));
  for (const { group, places } of bundles ?? []) {
    const behind = places.map((place) => edges[place]);
    for (const [name, how] of [["todo", "every"], ["unsent", "every"], ["lit", "some"]]) group.classList.toggle(name, of(behind, name, how));
  }
  for (const group of root.querySelectorAll("[data-shut]")) {
    const inside = boxes.filter((_, box) => view().boxes[box].cell === Number(group.dataset.shut));
    for (const [name, how] of [["todo", "every"], ["current", "some"], ["lit", "some"], ["hit", "some"]]) group.classList.toggle(name, of(inside, name, how));
  }
}

function standsFor(box) {
  return hiddenBox(box) ? `c${view().boxes[box].cell}` : String(box);
}

function closedCell(cell, shown) {
  const { name, t, title, spot: [x, y, wide, high], operations, steps } = shown.cells[cell];
  const about = `${title}, closed: ${operations} operations${steps > 1 ? `, the same weights at ${steps} steps` : ""}`;
  const middle = x + wide / 2;
  const small = Math.min(wide, 150) / 11;
  const line = (text, dy, size, style) =>
    drawn("text", { x: middle, y: y + high / 2 + dy, "font-size": size, class: `m ${style}` }, text);
  return drawn("g", { class: "shut", "data-shut": cell, "data-about": about, tabindex: 0, role: "button", "aria-label": `${about}. Press Enter to open.` },
    drawn("rect", { class: "cell", x, y, width: wide, height: high, rx: 14 }),
    drawn("rect", { class: "cell", x: x + 5, y: y + 5, width: wide - 10, height: high - 10, rx: 10 }),
    line(`${name} ${t.replace("t = ", "")}`, -small * 0.2, small * 1.5, "b"),
    line(`+${operations} operations`, small * 1.2, small, "q"),
    ...(steps > 1 ? [line(`×${steps}, same weights`, small * 2.5, small, "q")] : []));
}

// The border's edges as one line each, straight or with one corner, and the gradient beside it.
function bundle(key, shown) {
  const [start, end] = key.split(">");
  const box = (name) => (name[0] === "c" ? shown.cells[name.slice(1)].spot : shown.boxes[name].spot);
  const points = route(box(start), box(end));
  const { style, width, edges, norm, gain, share, state: kind } = shown.bundles[key] ?? {};
  const about = `${edges ?? 1} edge${edges > 1 ? "s" : ""}` + (norm === undefined ? "" : `; gradient ${number(norm)} comes back, gain ${number(gain)}`);
  const group = drawn("g", { "data-about": about, class: "bundle" });
  const forward = shifted(points, -3);
  const far = Math.hypot(points[0][0] - points.at(-1)[0], points[0][1] - points.at(-1)[1]);
  group.append(drawn("path", { class: "f", d: path(forward) }), arrow(forward, "fh", Math.min(7, far / 2)));
  if (share !== undefined) group.dataset.share = share;
  if (kind === undefined) return group;
  const back = shifted(points, 4).reverse();
  const known = { zero: "zero", structural: "hollow", nonfinite: "nan", cut: "cut" }[kind] ?? style;
  const size = Math.min(Math.max(7, (width ?? 1) * 2), far * 0.7);
  const short = [...back.slice(0, -1), toward(back.at(-2), back.at(-1), size * 0.8)];
  const line = drawn("path", { class: "r", d: path(short), ...(width ? { "stroke-width": width } : {}) });
  group.append(drawn("g", { class: known }, line, arrow(back, "rh", size)));
  return group;
}

function route([ax, ay, aw, ah], [bx, by, bw, bh]) {
  const clamp = (at, from, size) => Math.min(Math.max(at, from + 12), from + size - 12);
  const mid = [ax + aw / 2, ay + ah / 2, bx + bw / 2, by + bh / 2];
  const small = aw * ah < bw * bh;
  const y = small ? clamp(mid[1], by, bh) : clamp(mid[3], ay, ah);
  if (small ? y === mid[1] : y === mid[3]) {
    return ax + aw <= bx ? [[ax + aw, y], [bx, y]] : ax >= bx + bw ? [[ax, y], [bx + bw, y]] : upright();
  }
  const x = small ? clamp(mid[0], bx, bw) : clamp(mid[2], ax, aw);
  if (small ? x === mid[0] : x === mid[2]) return upright(x);
  // One corner: leave sideways, arrive from below or above.
  const from = mid[2] > mid[0] ? ax + aw : ax;
  return [[from, mid[1]], [mid[2], mid[1]], [mid[2], mid[1] > mid[3] ? by + bh : by]];
  function upright(at = mid[0]) {
    return mid[1] > mid[3] ? [[at, ay], [at, by + bh]] : [[at, ay + ah], [at, by]];
  }
}

function shifted(points, by) {
  const [[ax, ay], [bx, by2]] = points;
  const level = Math.abs(ay - by2) < Math.abs(ax - bx);
  return points.map(([x, y]) => (points.length > 2 ? [x + by, y + by] : level ? [x, y + by] : [x + by, y]));
}

const path = (points) => `M${points.map(([x, y]) => `${Math.round(x * 10) / 10},${Math.round(y * 10) / 10}`).join("L")}`;

function toward([ax, ay], [bx, by], back) {
  const far = Math.hypot(bx - ax, by - ay) || 1;
  return [bx - ((bx - ax) / far) * back, by - ((by - ay) / far) * back];
}

function arrow(points, style, size) {
  const [ax, ay] = points.at(-2);
  const [bx, by] = points.at(-1);
  const far = Math.hypot(bx - ax, by - ay) || 1;
  const [dx, dy] = [((bx - ax) / far) * size, ((by - ay) / far) * size];
  return drawn("path", { class: style, d: `${path([[bx, by], [bx - dx - dy / 2, by - dy + dx / 2], [bx - dx + dy / 2, by - dy - dx / 2]])}z` });
}
