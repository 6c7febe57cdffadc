// The drawing made live: every box can be reached and chosen, every edge says what it carries.

const parts = data.views.map((shown, place) => {
  const root = document.querySelector(`[data-view="${place}"] > svg`);
  const list = (name, length) => {
    const found = Array.from({ length });
    for (const group of root.querySelectorAll(`[data-${name}]`)) found[group.dataset[name]] = group;
    return found;
  };
  return {
    root,
    boxes: list("box", shown.boxes.length),
    edges: list("edge", shown.edges.length),
    tags: list("tag", shown.tags.length),
    cells: list("cell", shown.cells.length),
    turn: new Map(shown.order.map((box, turn) => [box, turn])),
  };
});
const here = () => parts[state.view];

function startDiagram(stage) {
  for (const [shown, { root, boxes, edges, tags, cells }] of parts.entries()) {
    camera.whole.push(root.getAttribute("viewBox").split(" ").map(Number));
    camera.box.push(camera.whole.at(-1));
    root.setAttribute("preserveAspectRatio", "xMidYMid meet");
    // A title would show the browser's own tooltip beside ours.
    for (const group of [...boxes, ...edges, ...tags, ...cells]) {
      const title = group?.querySelector(":scope > title");
      if (!title) continue;
      group.dataset.about = title.textContent;
      if (group.dataset.box !== undefined) group.setAttribute("aria-label", title.textContent);
      title.remove();
    }
    for (const edge of edges) widen(edge);
    findStarts(edges, data.views[shown]);
    // Words beside a box go where the box goes.
    for (const words of root.querySelectorAll("[data-words]")) boxes[words.dataset.words].append(words);
  }
  stage.addEventListener("click", (event) => press(event.target));
  stage.addEventListener("pointerover", (event) => hint(event));
  stage.addEventListener("pointermove", (event) => place(event));
  stage.addEventListener("pointerleave", () => { byId("hint").hidden = true; });
  stage.addEventListener("focusin", (event) => {
    const box = event.target.dataset?.box;
    if (box !== undefined && Number(box) !== state.box) choose(Number(box));
  });
}

// Some lines are drawn from the box that makes a state, not from the state: they hide with that box.
function findStarts(edges, { boxes, edges: told }) {
  const holds = (box, { x, y }) => {
    const [left, top, wide, high] = boxes[box].spot;
    return x > left - 8 && x < left + wide + 8 && y > top - 8 && y < top + high + 8;
  };
  edges.forEach((edge, place) => {
    const line = edge.querySelector("path.f");
    const at = line?.getPointAtLength(0).matrixTransform(edge.transform.baseVal.consolidate()?.matrix ?? new DOMMatrix());
    if (at && !holds(told[place].from, at)) told[place].starts = boxes.findIndex((_, box) => holds(box, at));
  });
}

// A thin line is hard to hit: an invisible wide one lies over it.
function widen(edge) {
  const line = edge.querySelector("path.f");
  if (line) edge.append(drawn("path", { class: "reach", d: line.getAttribute("d") }));
}

function press(target) {
  const found = target.closest("[data-box],[data-edge],[data-tag],[data-cell],[data-shut]");
  if (!found) return clear();
  const { box, edge, tag, cell, shut } = found.dataset;
  if (box !== undefined) choose(Number(box), true);
  else if (tag !== undefined) chooseTag(Number(tag));
  else if (edge !== undefined) chooseEdge(Number(edge));
  else toggleCell(Number(cell ?? shut));
}

function clear() {
  mark(-1);
  state.box = -1;
  dark();
  tell("chosen", null);
}

// Choose a box: it takes the focus, its edges stand out, the panel tells about it.
function choose(box, focus = false) {
  const { boxes } = here();
  if (!boxes[box]) return;
  state.box = box;
  mark(box);
  if (focus) boxes[box].focus({ preventScroll: true });
  tell("chosen", { box });
}

function mark(box) {
  const { root, boxes, edges } = here();
  for (const old of root.querySelectorAll(".chosen,.near")) old.classList.remove("chosen", "near");
  for (const other of boxes) other?.setAttribute("tabindex", "-1");
  const reachable = boxes[box] ?? boxes[view().order[0]] ?? boxes[0];
  reachable?.setAttribute("tabindex", "0");
  if (!boxes[box]) return;
  boxes[box].classList.add("chosen");
  view().edges.forEach((edge, place) => {
    if (edge.from === box || edge.to === box) edges[place]?.classList.add("near");
  });
}

function chooseEdge(edge) {
  mark(-1);
  state.box = -1;
  here().edges[edge].classList.add("near");
  tell("chosen", { edge });
}

function chooseTag(tag) {
  const { box, dock } = view().tags[tag];
  choose(box, true);
  tell("chosen", { box: dock, tag });
}

// The next box in time (+1, -1), or the first that this one feeds or is fed by.
function walk(by) {
  const { order, boxes } = view();
  const sight = order.filter((box) => !hiddenBox(box));
  const at = sight.indexOf(state.box);
  const next = at < 0 ? sight[by > 0 ? 0 : sight.length - 1] : sight[at + by];
  if (next === undefined) return;
  choose(next, true);
  if (boxes[next].cell !== undefined) reveal(boxes[next].spot);
}

function follow(forward) {
  const edge = view().edges.find((e) => (forward ? e.from : e.to) === state.box);
  if (!edge) return;
  const next = forward ? edge.to : edge.from;
  if (hiddenBox(next)) return;
  choose(next, true);
  reveal(view().boxes[next].spot);
}

function hint(event) {
  const found = event.target.closest("[data-box],[data-edge],[data-tag],[data-cell],[data-shut]");
  const box = byId("hint");
  box.hidden = !found?.dataset.about;
  if (box.hidden) return;
  const edge = view().edges[found.dataset.edge];
  const share = litShare(found) ?? edge?.share;
  box.replaceChildren(found.dataset.about, ...(share === undefined ? [] : [element("b", {}, `share ${percent(share)}`)]));
  place(event);
}

function place(event) {
  const box = byId("hint");
  if (box.hidden) return;
  const frame = byId("stage").getBoundingClientRect();
  const x = Math.min(event.clientX - frame.left + 14, frame.width - box.offsetWidth - 8);
  const y = event.clientY - frame.top + 18;
  box.style.left = `${Math.max(4, x)}px`;
  box.style.top = `${y + box.offsetHeight > frame.height ? y - box.offsetHeight - 30 : y}px`;
}
