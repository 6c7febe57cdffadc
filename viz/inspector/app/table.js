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
  // A state and the dot on its lane show the node of the box that makes it: one row is enough.
  const rows = new Map();
  for (const box of [...given, ...order]) if (!rows.has(boxes[box].nodes.at(-1))) rows.set(boxes[box].nodes.at(-1), box);
  byId("table").replaceChildren(element("table", { class: "data" },
    element("caption", {}, `${rows.size} quantities in the order of time; a name leads to its box.`),
    element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...[...rows.values()].map(tableRow))));
}

function tableRow(box) {
  const { nodes, label, t } = view().boxes[box];
  const node = data.nodes[nodes.at(-1)];
  const size = (found) => found && number(found.norm ?? found.first[0]);
  const name = node.called === undefined ? [label] : rich(node.name);
  return element("tr", { "data-row": nodes.at(-1) },
    element("th", { scope: "row" }, element("button", { type: "button", class: "link", onclick: () => go(box) }, ...name)),
    element("td", {}, t.replace("t = ", "")), element("td", {}, nodes.length > 1 ? `${node.op} +${nodes.length - 1}` : node.op),
    element("td", {}, node.shape.join("×") || "1"),
    element("td", { class: "n" }, size(node.value) ?? ""), element("td", { class: "n" }, size(node.adjoint) ?? ""),
    element("td", { class: "n" }, percent(through(box))), element("td", {}, node.site));
}
