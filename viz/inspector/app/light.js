// Light: a (t, k) cell, a lag, a gate, a path or a box lights exactly the edges its paths use, with their shares.

let lit = null; // { words, edges: Map(edge -> share or undefined), tags: Map, share }
let pinned = null;

function startLight() {
  if (!data.flow) {
    byId("paths").append(element("p", {}, "There is no gradient to follow: the figure has no loss, or the backward pass was not run."));
    return;
  }
  const { source, all, table, lags, gates, paths } = data.flow;
  byId("paths").append(
    element("h2", {}, "The gradient in ", ...rich(source)),
    element("p", { class: "quiet" }, `${all} paths lead from its uses to the loss. Point at an item to light its edges, click to keep them lit. Shares add up to 100 %; negative ones cancel. The yellow mark under an edge is as wide as its share of what is lit; a dashed purple one is negative.`));
  if (table) byId("paths").append(...triangle(table));
  if (lags) byId("paths").append(section("By lag t − k", lags.map((lag, place) => item([`lag ${lag.lag}`], lag, () => lightLag(lag, place)))));
  else if (data.flow.long) byId("paths").append(element("p", { class: "quiet" }, "The table of loss and use, and the lags, are listed for nets of up to 100 steps."));
  if (gates.length) byId("paths").append(section("Through a gate or state, at any step", gates.map((gate, place) => item([...rich(gate.name), element("small", {}, ` ${gate.steps}`)], gate, () => lightGate(gate, place)))));
  byId("paths").append(section("Largest single paths", paths.map((found, place) => item(pathWords(found), found, () => lightPath(found, place)))));
  on("redrawn", () => shine(lit));
}

function pathWords({ words, length, norm }) {
  const shown = words.flatMap((word, place) => [place ? " → " : "", ...rich(word)]);
  return [element("span", {}, ...shown), element("small", {}, ` over ${length} operations, norm ${number(norm)}`)];
}

function section(title, items) {
  return element("section", {}, element("h3", {}, title), element("ul", { class: "list" }, ...items));
}

function item(words, { share, norm }, make) {
  const size = typeof share === "number" ? Math.min(1, Math.abs(share)) : 0;
  const bar = element("span", { class: share < 0 ? "bar minus" : "bar" });
  bar.style.inlineSize = `${Math.round(size * 1000) / 10}%`;
  const button = element("button", { type: "button", "aria-pressed": "false", title: `norm ${number(norm)}` },
    element("span", { class: "words" }, ...words), element("span", { class: "n" }, percent(share)), bar);
  lightsUp(button, make);
  return element("li", {}, button);
}

// Pointing, or coming by with the Tab key, lights for a moment; a click keeps the light on.
function lightsUp(button, make) {
  button.addEventListener("pointerenter", () => shine(make()));
  button.addEventListener("pointerleave", () => shine(pinned?.light ?? null));
  button.addEventListener("focus", () => button.matches(":focus-visible") && shine(make()));
  button.addEventListener("blur", () => shine(pinned?.light ?? null));
  button.addEventListener("click", () => {
    const again = pinned?.button === button;
    pin(again ? null : make(), again ? null : button);
  });
}

function pin(light, button = null) {
  pinned?.button?.setAttribute("aria-pressed", "false");
  pinned = light ? { light, button } : null;
  button?.setAttribute("aria-pressed", "true");
  shine(light);
}

const dark = () => pin(null);

function triangle({ norm, share, present, lit: offered }) {
  const all = norm.flat().filter((value) => typeof value === "number" && value > 0);
  const [low, high] = [Math.log10(Math.min(...all)), Math.log10(Math.max(...all))];
  const shade = (value) => (typeof value === "number" && value > 0 ? Math.round(((Math.log10(value) - low) / (high - low || 1)) * 8) : 0);
  const wide = norm.length <= 12;
  const rows = norm.map((row, t) => element("tr", {}, element("th", { scope: "row" }, wide || t % 5 === 4 ? `${t + 1}` : ""),
    ...row.map((value, k) => {
      if (!present[t][k]) return element("td", {});
      const about = `loss at t = ${t + 1}, use at k = ${k + 1}: share ${percent(share[t][k])}, norm ${number(value)}`;
      const button = element("button", { type: "button", class: `cell s${shade(value)}`, title: about, "aria-label": about, "aria-pressed": "false", "data-tk": `${t},${k}`, disabled: !offered },
        wide && typeof share[t][k] === "number" ? String(Math.round(share[t][k] * 100)) : "");
      if (offered) lightsUp(button, () => lightCell(t, k));
      return element("td", {}, button);
    })));
  const head = element("tr", {}, element("th", { scope: "col" }, "t\u2009\\\u2009k"), ...norm[0].map((_, k) => element("th", { scope: "col" }, wide || k % 5 === 4 ? `${k + 1}` : "")));
  return [element("section", {}, element("h3", {}, "By loss t and use k"),
    element("div", { class: "wide" }, element("table", { class: "triangle" }, element("thead", {}, head), element("tbody", {}, ...rows))),
    element("p", { class: "quiet" }, `Numbers are shares in %; shade is the norm on a log scale, from ${number(10 ** low)} (dark) to ${number(10 ** high)} (light).` + (offered ? "" : " Too many steps to light single cells.")))];
}

// Shares of the cells that an edge carries, by place t * steps + k.
function cellsOf(edge) {
  if (!edge.known) {
    edge.known = new Map();
    for (let at = 0; at < (edge.cells ?? []).length; at += 2) edge.known.set(edge.cells[at], edge.cells[at + 1]);
  }
  return edge.known;
}

function gather(words, share, pick) {
  const collect = (list) => new Map(list.map((edge, place) => [place, pick(edge)]).filter(([, found]) => found !== undefined && found !== false));
  return { view: state.view, words, share, edges: collect(view().edges), tags: collect(view().tags), again: () => gather(words, share, pick) };
}

function lightCell(t, k) {
  const { share } = data.flow.table;
  const place = t * share[0].length + k;
  return gather([`loss at t = ${t + 1} through the use at k = ${k + 1}`], share[t][k], (edge) => cellsOf(edge).get(place));
}

function lightLag(lag) {
  const { share } = data.flow.table;
  const steps = share[0].length;
  return gather([`lag ${lag.lag}`], lag.share, (edge) => {
    let sum;
    for (let t = lag.lag; t < share.length; t += 1) {
      const part = cellsOf(edge).get(t * steps + t - lag.lag);
      if (part !== undefined) sum = (sum ?? 0) + part;
    }
    return sum;
  });
}

const lightGate = (gate, place) => gather(["all paths through ", ...rich(gate.name)], gate.share, (edge) => edge.gates?.includes(place) && true);
const lightPath = (found, place) => gather(["path ", ...found.words.flatMap((word, at) => [at ? " → " : "", ...rich(word)])], found.share, (edge) => edge.paths?.includes(place) && found.share);

function bit(hexadecimal, place) {
  const at = hexadecimal.length - 1 - (place >> 2);
  return at >= 0 && ((parseInt(hexadecimal[at], 16) >> (place & 3)) & 1) === 1;
}

// A box on a path can be lit, unless the graph is so large that the page does not hold which edges that would be.
const lightable = (box) => view().edges.some((edge) => edge.met !== undefined && bit(edge.met, box));

// What passes through a box is what leaves it: the shares of its edges.
function through(box) {
  const sum = (side) => {
    const found = view().edges.filter((edge) => edge[side] === box && edge.share !== undefined).map((edge) => edge.share);
    return found.length ? found.reduce((a, b) => a + b, 0) : undefined;
  };
  return sum("from") ?? sum("to");
}

function lightBox(box) {
  const { label, t } = view().boxes[box];
  pin(gather([`all paths through ${label} ${t}`.trim()], through(box), (edge) => edge.met !== undefined && bit(edge.met, box)));
}

function litShare(group) {
  const found = lit?.edges.get(Number(group.dataset.edge)) ?? lit?.tags.get(Number(group.dataset.tag));
  return typeof found === "number" ? found : undefined;
}

function shine(light) {
  for (const { root } of parts) {
    root.classList.toggle("lighting", Boolean(light?.edges.size));
    for (const old of root.querySelectorAll(".lit")) old.classList.remove("lit", "minus");
  }
  lit = light && light.view !== state.view ? light.again() : light;
  now();
  dress();
  if (!lit) return;
  const { boxes, edges, tags } = here();
  const largest = Math.max(...[...lit.edges.values()].map((share) => (typeof share === "number" ? Math.abs(share) : 0)), 0);
  for (const [place, share] of lit.edges) {
    const group = edges[place];
    const { from, to } = view().edges[place];
    if (!group) continue;
    glow(group, share, largest);
    boxes[from]?.classList.add("lit");
    boxes[to]?.classList.add("lit");
  }
  for (const place of lit.tags.keys()) {
    tags[place]?.classList.add("lit");
    boxes[view().tags[place].box]?.classList.add("lit");
    boxes[view().tags[place].dock]?.classList.add("lit");
  }
  dress();
  for (const { group, places } of here().bundles ?? []) {
    const shares = places.filter((place) => lit.edges.has(place)).map((place) => lit.edges.get(place));
    if (shares.length) glow(group, shares.every((share) => typeof share === "number") ? shares.reduce((a, b) => a + b) : true, largest);
  }
}

// A stroke of a marker pen under the edge, as wide as the edge's share of what is lit.
function glow(group, share, largest) {
  let marker = group.querySelector(".marker");
  if (!marker) {
    const line = group.querySelector("path.f");
    if (!line) return;
    marker = drawn("path", { class: "marker", d: line.getAttribute("d") });
    group.prepend(marker);
  }
  const part = typeof share === "number" && largest ? Math.abs(share) / largest : 0.5;
  marker.setAttribute("stroke-width", String(Math.round((5 + 17 * part) * 10) / 10));
  group.classList.add("lit");
  group.classList.toggle("minus", share < 0);
}

function now() {
  const line = byId("now");
  line.classList.toggle("on", Boolean(lit));
  if (!lit) return line.replaceChildren();
  const edges = lit.edges.size ? `${lit.edges.size} edge${lit.edges.size === 1 ? "" : "s"} lit` : "in steps that are not shown";
  line.replaceChildren(`share ${percent(lit.share)}, ${edges}: `, ...lit.words.map((part) => part.cloneNode?.(true) ?? part));
  line.title = line.textContent;
}
