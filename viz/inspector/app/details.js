// The panel about what is chosen: op, shape, numbers, maths, source line, and what flows in and out.

function startDetails() {
  on("chosen", (about) => {
    const panel = byId("details");
    if (!about) panel.replaceChildren(...welcome());
    else if (about.edge !== undefined) panel.replaceChildren(...edgeDetails(about.edge));
    else panel.replaceChildren(...boxDetails(about.box, about.tag));
    panel.scrollTop = 0;
    if (about) openTab("details");
  });
  byId("details").replaceChildren(...welcome());
}

function welcome() {
  return [
    element("h2", {}, ...rich(data.title)),
    element("p", {}, ...rich(data.sentence)),
    data.proof && data.proof.length ? element("p", {}, ...rich(data.proof)) : undefined,
    element("p", { class: "quiet" }, "Choose a box or an edge to see what is known of it. ",
      data.flow ? "Paths lights up where the gradient came from. " : "", "Keys lists the shortcuts."),
  ].filter(Boolean);
}

function boxDetails(box, tag) {
  const { nodes, t, cell, label } = view().boxes[box];
  const main = data.nodes[nodes.at(-1)];
  const found = [heading(main, label, t)];
  const share = through(box);
  const buttons = [];
  if (lightable(box)) buttons.push(element("button", { type: "button", onclick: () => lightBox(box) }, "Light the paths through it"));
  if (cell >= 0) buttons.push(element("button", { type: "button", onclick: () => toggleCell(cell) }, "Close its cell"));
  if (buttons.length) found.push(element("p", { class: "buttons" }, ...buttons));
  if (tag !== undefined) found.push(element("p", {}, here().tags[tag].dataset.about));
  if (share !== undefined) found.push(element("p", {}, "Share of the gradient that passes through: ", element("b", {}, percent(share))));
  found.push(...nodeDetails(main));
  if (nodes.length > 1) {
    found.push(element("h3", {}, `Made of ${nodes.length} operations`));
    for (const place of nodes.slice(0, -1).reverse()) {
      const node = data.nodes[place];
      found.push(element("details", {}, element("summary", {}, ...rich(node.name), " = ", ...rich(node.computes ?? node.op)), ...nodeDetails(node)));
    }
  }
  return found;
}

function heading(node, label, t) {
  const named = node.called !== undefined;
  const words = named ? rich(node.name) : node.computes ? [] : [label];
  return element("h2", {}, ...words, named && node.computes ? " = " : "", ...rich(node.computes), t ? element("small", {}, ` ${t}`) : "");
}

function nodeDetails(node) {
  const rows = [
    ["op", node.op],
    ["shape", node.shape.length ? node.shape.join(" × ") : "scalar", `, ${node.dtype}`],
    node.called !== undefined && node.called !== plain(node.name) ? ["name", node.called] : undefined,
    node.scope ? ["scope", node.scope] : undefined,
    node.site ? ["made at", node.site] : undefined,
  ].filter(Boolean);
  return [
    element("dl", {}, ...rows.flatMap(([name, ...words]) => [element("dt", {}, name), element("dd", {}, ...words)])),
    node.value ? numbers("Value", node.value, node.shape) : undefined,
    node.adjoint ? numbers("Adjoint ∂L/∂ this", node.adjoint, node.shape) : undefined,
    node.into.length ? flowTable(node) : undefined,
    node.out.length ? element("p", {}, "Feeds ", ...links(node.out.map((use) => use.node))) : undefined,
  ].filter(Boolean);
}

function numbers(title, { size, first, norm, low, high, odd }, shape) {
  const about = size === 1 ? number(first[0]) : norm === undefined ? "" : `norm ${number(norm)}, from ${number(low)} to ${number(high)}`;
  const parts = [element("h3", {}, title, " ", element("span", { class: "quiet" }, about))];
  if (odd) parts.push(element("p", { class: "odd" }, `${odd} of ${size} numbers are NaN or infinite`));
  if (size > 1) {
    const most = Math.max(...first.filter((value) => typeof value === "number").map(Math.abs), 0);
    const wide = shape.length > 1 ? Math.min(shape.at(-1), 16) : Math.min(size, 8);
    const grid = element("div", { class: "grid", role: "img", "aria-label": `${title}: ${first.slice(0, 12).map(number).join(", ")}${size > 12 ? " …" : ""}` });
    grid.style.gridTemplateColumns = `repeat(${wide || 1}, 1fr)`;
    for (const value of first) grid.append(tile(value, most, first.length <= 32));
    parts.push(grid);
    if (first.length < size) parts.push(element("p", { class: "quiet" }, `the first ${first.length} of ${size} numbers`));
  }
  return element("section", {}, ...parts);
}

function tile(value, most, spell) {
  const made = element("span", { title: String(value) }, spell ? short(value) : "");
  if (typeof value !== "number") made.className = "odd";
  else made.style.setProperty("--part", String(most ? Math.round((Math.abs(value) / most) * 70) : 0) + "%");
  if (value < 0) made.classList.add("minus");
  return made;
}

function short(value) {
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  return size === 0 ? "0" : size >= 0.01 && size < 1000 ? String(Number(value.toPrecision(2))).replace("0.", ".") : value.toExponential(0).replace("e+", "e");
}

function flowTable(node) {
  const known = node.into.some((use) => use.norm !== undefined);
  const rows = node.into.map((use) =>
    element("tr", {},
      element("th", { scope: "row" }, ...rich(use.label), " ", ...links(use.node === undefined ? [] : [use.node], true)),
      ...(known ? [
        element("td", {}, ...(use.local && use.local.length ? rich(use.local) : ["–"])),
        element("td", {}, ...rich(use.sends), use.norm === undefined ? "nothing" : ""),
        element("td", { class: "n" }, number(use.norm)),
        element("td", { class: "n" }, percent(use.share)),
      ] : [element("td", {}, use.op)])));
  const names = known ? ["from", "local derivative", "sends back", "norm", "share"] : ["from", "op"];
  return element("section", {}, element("h3", {}, known ? "What it takes, and what it sends back" : "What it takes"),
    element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows))));
}

// Buttons that lead to the boxes that show these nodes.
function links(nodes, arrow = false) {
  const boxes = new Map();
  for (const node of nodes) {
    const box = view().boxes.findIndex((other) => other.nodes.includes(node));
    if (box >= 0) boxes.set(box, node);
  }
  return [...boxes].flatMap(([box, node], place) => [
    place ? ", " : "",
    element("button", { type: "button", class: "link", "aria-label": `Go to ${view().boxes[box].label} ${view().boxes[box].t}`, onclick: () => go(box) },
      ...(arrow ? ["→"] : data.nodes[node].called === undefined ? [`${data.nodes[node].op} ${view().boxes[box].t}`] : rich(data.nodes[node].name))),
  ]);
}

function go(box) {
  const { cell } = view().boxes[box];
  if (hiddenBox(box)) toggleCell(cell);
  choose(box, true);
  reveal(view().boxes[box].spot);
}

function edgeDetails(place) {
  const { from, to, norm, gain, share, state: kind } = view().edges[place];
  const words = {
    measured: "", zero: norm ? "None of the gradient passes." : "The gradient that arrives is exactly 0.", structural: "The gradient stops here: a factor is 0.",
    nonfinite: "The gradient is NaN or infinite.", cut: "The gradient is cut here.",
  };
  const end = (box) => element("button", { type: "button", class: "link", onclick: () => go(box) }, `${view().boxes[box].label} ${view().boxes[box].t}`.trim());
  const rows = [["gradient that comes back", number(norm)], ["local gain", number(gain)], ["share of the whole", percent(share)]];
  return [
    element("h2", {}, "Edge"),
    element("p", {}, end(from), " feeds ", end(to)),
    element("p", {}, here().edges[place].dataset.about),
    kind && words[kind] ? element("p", {}, words[kind]) : undefined,
    element("dl", {}, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  ].filter(Boolean);
}
