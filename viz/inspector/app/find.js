// Search: boxes whose name, operation, scope or source line holds what was typed.

let hits = [];
let hit = -1;

function startFind() {
  const field = byId("find");
  field.addEventListener("input", () => search(field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      nextHit(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      field.value = "";
      search("");
      field.blur();
    }
  });
  on("viewed", () => search(field.value));
}

function words(box) {
  const { label, t, role, nodes } = view().boxes[box];
  const about = nodes.map((place) => data.nodes[place]).map((node) => [plain(node.name), node.called ?? "", node.op, node.scope, node.site].join(" "));
  return `${label} ${t} ${role} ${about.join(" ")}`.toLowerCase();
}

function search(text) {
  const wanted = text.trim().toLowerCase();
  const { root, boxes, tags } = here();
  hits = wanted ? boxes.map((_, box) => box).filter((box) => words(box).includes(wanted)) : [];
  const turn = (box) => here().turn.get(box) ?? -1;
  hits.sort((a, b) => turn(a) - turn(b));
  hit = -1;
  root.classList.toggle("finding", Boolean(wanted));
  const found = new Set(hits);
  boxes.forEach((group, box) => group?.classList.toggle("hit", found.has(box)));
  view().tags.forEach(({ dock }, tag) => tags[tag]?.classList.toggle("hit", found.has(dock)));
  dress();
  byId("count").textContent = !wanted ? "" : hits.length === 1 ? "1 hit" : `${hits.length} hits`;
}

function nextHit(by) {
  if (!hits.length) return;
  hit = (hit + by + hits.length) % hits.length;
  const { cell, spot } = view().boxes[hits[hit]];
  if (hiddenBox(hits[hit])) toggleCell(cell);
  choose(hits[hit]);
  reveal(spot);
  byId("count").textContent = `${hit + 1} of ${hits.length}`;
}
