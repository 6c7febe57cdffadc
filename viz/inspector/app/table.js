// The data table: every box in the order in which it is computed.

function startTable() {
  on("viewed", fillTable);
  on("chosen", (about) => {
    for (const row of byId("table").querySelectorAll("[aria-current]")) row.removeAttribute("aria-current");
    const main = about && view().boxes[about.box]?.nodes.at(-1);
    const row = main !== undefined && byId("table").querySelector(`[data-row="${main}"]`);
    if (!row) return;
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
  });
  fillTable();
}

function fillTable() {
  const { order, boxes } = view();
  const given = boxes.map((_, box) => box).slice(order.length);
  const names = ["name", "t", "operation", "shape", "|value|", "|adjoint|", "share", "made at"];
  const numeric = new Set([4, 5, 6]);
  // A state and the dot on its lane show the node of the box that makes it: one row is enough.
  const rows = new Map();
  for (const box of [...given, ...order]) if (!rows.has(boxes[box].nodes.at(-1))) rows.set(boxes[box].nodes.at(-1), box);
  const written = [...rows.values()].map(tableRow);
  const used = names.map((_, column) => written.some(({ cells }) => cells[column] !== ""));
  const kept = (list) => list.filter((_, column) => used[column]);
  byId("table").replaceChildren(element("table", { class: "data" },
    element("caption", {}, `${rows.size} quantities in the order of time; a name leads to its box.`),
    element("thead", {}, element("tr", {}, ...kept(names.map((name, column) => element("th", { scope: "col", ...(numeric.has(column) ? { class: "n" } : {}) }, name))))),
    element("tbody", {}, ...written.map(({ main, cells }) => element("tr", { "data-row": main },
      ...kept(cells.map((words, column) => element(column ? "td" : "th", column ? (numeric.has(column) ? { class: "n" } : {}) : { scope: "row" }, words))))))));
}

function tableRow(box) {
  const { nodes, label, t } = view().boxes[box];
  const node = data.nodes[nodes.at(-1)];
  const size = (found) => found && number(found.norm ?? found.first[0]);
  const name = node.called === undefined ? [label] : rich(node.name);
  const cells = [
    element("button", { type: "button", class: "link", onclick: () => go(box) }, ...name), when(node, t).replace("t = ", ""),
    nodes.length > 1 ? `${node.op} +${nodes.length - 1}` : node.op, node.shape.join("×") || "1",
    size(node.value) ?? "", size(node.adjoint) ?? "", percent(through(box)), node.site,
  ];
  return { main: nodes.at(-1), cells };
}
