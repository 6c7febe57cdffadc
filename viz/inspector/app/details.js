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
  on("redrawn", () => listening());
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
  if (cell >= 0) buttons.push(...cellButtons(cell));
  if (buttons.length) found.push(element("p", { class: "buttons" }, ...buttons));
  if (tag !== undefined) found.push(element("p", {}, here().tags[tag].dataset.about));
  if (share !== undefined) found.push(element("p", {}, "Share of the gradient in ", ...rich(data.flow.source), " that passes through: ", element("b", {}, percent(share)), ...apart(main, share)));
  else if (data.flow && main.adjoint && here().turn.has(box)) found.push(element("p", { class: "quiet" }, "No path of the gradient in ", ...rich(data.flow.source), " runs through it."));
  found.push(...nodeDetails(main));
  if (nodes.length > 1) {
    found.push(element("h3", {}, `${view().level === "rolled" ? "Stands for" : "Made of"} ${nodes.length} operations`));
    for (const place of nodes.slice(0, -1).reverse()) {
      const node = data.nodes[place];
      found.push(element("details", {}, element("summary", {}, ...rich(node.name), " = ", ...rich(node.computes ?? node.op)), ...nodeDetails(node)));
    }
  }
  return found;
}

// A state that is drawn apart from the box that makes it carries a part of what passes through it, a rolled box what
// passes at all steps.
function apart(node, share) {
  const shares = node.out.map(({ node: user, slot, share: own }) => (user === undefined ? own : data.nodes[user].into[slot].share));
  const whole = shares.filter((part) => typeof part === "number").reduce((a, b) => a + b, 0);
  return typeof share !== "number" || Math.abs(whole - share) <= 2e-3 * Math.max(Math.abs(whole), ...shares.map(Math.abs).filter(Number.isFinite)) ? [] : view().level === "rolled" ? [" at all steps together, ", percent(whole), " at this one"] : [" here, of ", percent(whole), " in all"];
}

// The cell that the box is in, and all cells of its layer, closed or open at a press.
function cellButtons(cell) {
  const layer = view().cells.filter(({ key }) => key === view().cells[cell].key).length;
  const verb = () => (state.shut[state.view].has(cell) ? "Open" : "Close");
  const made = [["its cell", false], ...(layer > 1 ? [[`its layer (${layer} cells)`, true]] : [])].map(([what, all]) =>
    [what, element("button", { type: "button", onclick: (event) => { toggleCell(cell, all); event.currentTarget.focus({ preventScroll: true }); } }, `${verb()} ${what}`)]);
  listening = () => { for (const [what, button] of made) button.textContent = `${verb()} ${what}`; };
  return made.map(([, button]) => button);
}

let listening = () => {};

function heading(node, label, t) {
  const named = node.called !== undefined;
  const words = named ? rich(node.name) : node.computes ? [] : [label];
  const step = when(node, t);
  return element("h2", {}, ...words, named && node.computes ? " = " : "", ...rich(node.computes), step ? element("small", {}, ` ${step}`) : "");
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
    node.adjoint ? numbers(node.called === undefined ? "Adjoint ∂L/∂ this" : ["Adjoint ∂L/∂", ...rich(node.name)], node.adjoint, node.shape) : undefined,
    node.into.length ? inTable(node) : undefined,
    node.out.length ? outTable(node) : undefined,
  ].filter(Boolean);
}

function numbers(title, { size, first, norm, low, high, odd }, shape) {
  const about = size === 1 ? number(first[0]) : norm === undefined ? "" : `norm ${number(norm)}, from ${number(low)} to ${number(high)}`;
  const parts = [element("h3", {}, ...[title].flat(), " ", element("span", { class: "quiet" }, about))];
  if (odd) parts.push(element("p", { class: "odd" }, `${odd} of ${size} numbers are NaN or infinite`));
  if (size > 1) {
    const most = Math.max(...first.filter((value) => typeof value === "number").map(Math.abs), 0);
    const spell = first.length <= 32;
    const wide = columns(shape.length > 1 ? shape.at(-1) : size, spell);
    const grid = element("div", { class: spell ? "grid" : "grid small", role: "img", "aria-label": `${[title].flat()[0]}: ${first.slice(0, 12).map(number).join(", ")}${size > 12 ? " …" : ""}` });
    grid.style.gridTemplateColumns = `repeat(${wide || 1}, 1fr)`;
    for (const value of first) grid.append(tile(value, most, spell));
    parts.push(grid);
    if (first.length < size) parts.push(element("p", { class: "quiet" }, `the first ${first.length} of ${size} numbers`));
  }
  return element("section", {}, ...parts);
}

// Tiles in a row: as many as the array has, or a part of them that fits; fewer where numbers are written out.
function columns(across, spell) {
  const most = spell ? 8 : 32;
  for (let count = Math.min(across, most); count > most / 2; count -= 1) if (across % count === 0) return count;
  return Math.min(across, most);
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

function inTable(node) {
  const known = node.into.some((use) => use.norm !== undefined);
  const rows = node.into.map((use) => [
    [...rich(use.label), " ", ...links(use.node === undefined ? [] : [use.node], true)],
    ...(known ? [use.local && use.local.length ? rich(use.local) : "–", use.norm === undefined ? "nothing" : rich(use.sends), number(use.norm), percent(use.share)] : [use.op]),
  ]);
  const names = known ? ["from", "local derivative", "sends back", "norm", "share"] : ["from", "op"];
  return flowTable(known ? "What it takes, and what it sends back" : "What it takes", names, rows);
}

const LISTED = 24;

function outTable(node) {
  const uses = node.out.map((use) => (use.node === undefined ? use : { ...data.nodes[use.node].into[use.slot], label: undefined, user: use.node }));
  const known = uses.some((use) => use.norm !== undefined);
  const rows = uses.slice(0, LISTED).map((use) => [
    use.user === undefined ? rich(use.label) : links([use.user]),
    ...(known ? [use.norm === undefined ? "nothing" : rich(use.sends), number(use.norm), percent(use.share)] : []),
  ]);
  if (known && uses.length > 1) {
    const shares = uses.map((use) => use.share).filter((share) => typeof share === "number");
    rows.push(["sum", "", node.adjoint ? number(node.adjoint.norm ?? Math.abs(node.adjoint.first[0])) : "", shares.length ? percent(shares.reduce((a, b) => a + b)) : ""]);
  }
  const more = uses.length > LISTED ? `, the first ${LISTED} of ${uses.length}` : "";
  return flowTable((known ? "What it feeds, and what comes back" : "What it feeds") + more, known ? ["to", "comes back", "norm", "share"] : ["to"], rows);
}

function flowTable(title, names, rows) {
  const last = names.length - 1;
  const cell = (words, place) => element(place ? "td" : "th", { ...(place ? {} : { scope: "row" }), ...(last > 1 && place >= last - 1 ? { class: "n" } : {}) }, ...[words].flat());
  return element("section", {}, element("h3", {}, title),
    element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, ...names.map((name, place) => element("th", { scope: "col", ...(last > 1 && place >= last - 1 ? { class: "n" } : {}) }, name)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))))));
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
