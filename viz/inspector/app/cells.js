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
    const whole = start === String(edge.from) && end === String(edge.to) && !(edge.starts >= 0 && hiddenBox(edge.starts));
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
  byId("shut-all").hidden = !shown.cells.length;
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
  const small = Math.min(wide, 165) / 11;
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
  const own = shown.edges.find((edge) => `${edge.from}>${edge.to}` === key);
  const { style, width, edges, norm, gain, share, state: kind } = shown.bundles[key] ?? own;
  const about = `${edges ?? 1} edge${edges > 1 ? "s" : ""}` + (norm === undefined ? "" : `; gradient ${number(norm)} comes back, gain ${number(gain)}`);
  const group = drawn("g", { "data-about": about, class: "bundle" });
  const forward = beside(points, -3);
  const far = Math.hypot(points[0][0] - points.at(-1)[0], points[0][1] - points.at(-1)[1]);
  group.append(drawn("path", { class: "f", d: path(forward) }), arrow(forward, "fh", Math.min(7, far / 2)));
  if (share !== undefined) group.dataset.share = share;
  if (kind === undefined) return group;
  const back = beside(points, 4).reverse();
  const known = { zero: "zero", structural: "hollow", nonfinite: "nan", cut: "cut" }[kind] ?? style;
  const size = Math.min(Math.max(7, (width ?? 1) * 2), far * 0.7);
  const short = [...back.slice(0, -1), toward(back.at(-2), back.at(-1), size * 0.8)];
  const line = drawn("path", { class: "r", d: path(short), ...(width ? { "stroke-width": width } : {}) });
  group.append(drawn("g", { class: known }, line, arrow(back, "rh", size)));
  return group;
}

// Straight where the two face each other; else with a bend right before the closed cell, clear of other boxes.
function route(start, end) {
  const [from, to] = [sides(start), sides(end)];
  const cell = start[2] * start[3] > end[2] * end[3] ? from : to;
  const other = cell === from ? to : from;
  const beside = other.right <= cell.left || other.left >= cell.right;
  const along = beside ? clamp(other.y, cell.top, cell.bottom) : clamp(other.x, cell.left, cell.right);
  const right = other.left >= cell.right;
  const below = other.top >= cell.bottom;
  const edge = beside ? (right ? cell.right : cell.left) : below ? cell.bottom : cell.top;
  const bend = edge + ((beside ? right : below) ? BEND : -BEND);
  const near = beside ? (right ? other.left : other.right) : below ? other.top : other.bottom;
  const across = beside ? other.y : other.x;
  const points = across === along ? [[near, across], [edge, along]] : [[near, across], [bend, across], [bend, along], [edge, along]];
  const turned = beside ? points : points.map(([first, second]) => [second, first]);
  return cell === from ? turned.reverse() : turned;
}

const BEND = 16;
const clamp = (at, low, high) => Math.min(Math.max(at, low + 14), high - 14);
const sides = ([left, top, wide, high]) => ({ left, top, right: left + wide, bottom: top + high, x: left + wide / 2, y: top + high / 2 });

// The same line beside itself: every corner moves along both of its stretches' normals.
function beside(points, by) {
  const normal = ([ax, ay], [bx, by2]) => {
    const far = Math.hypot(bx - ax, by2 - ay) || 1;
    return [(-(by2 - ay) / far) * by, ((bx - ax) / far) * by];
  };
  return points.map(([x, y], place) => {
    const before = place ? normal(points[place - 1], points[place]) : [0, 0];
    const after = place < points.length - 1 ? normal(points[place], points[place + 1]) : [0, 0];
    const same = place && place < points.length - 1 && before[0] * after[0] + before[1] * after[1] > by * by * 0.99;
    return same ? [x + before[0], y + before[1]] : [x + before[0] + after[0], y + before[1] + after[1]];
  });
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
