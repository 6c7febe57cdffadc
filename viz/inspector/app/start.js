// Levels, tabs, themes and keys; then everything is started.

const KEYS = [
  ["→ ←", "next and previous box in time", (key) => key === "ArrowRight" ? walk(1) : key === "ArrowLeft" && walk(-1), ["ArrowRight", "ArrowLeft"]],
  ["↑ ↓", "along an edge, to what it feeds or takes", (key) => follow(key === "ArrowUp"), ["ArrowUp", "ArrowDown"]],
  ["n p", "one step on and back in the pass", (key) => step(state.at + (key === "n" ? 1 : -1)), ["n", "p"]],
  ["Home End", "to the start and the end of the pass", (key) => step(key === "Home" ? 0 : frames.length), ["Home", "End"]],
  ["Space", "play and pause", () => play(), [" "]],
  ["c", "close or open the cell of the box", () => closeHere(false), ["c"]],
  ["C", "the same for its layer at all steps", () => closeHere(true), ["C"]],
  ["g", "light the paths through the box", () => state.box >= 0 && lightable(state.box) && lightBox(state.box), ["g"]],
  ["l", "other level of detail", () => show((state.view + 1) % data.views.length), ["l"]],
  ["+ − 0", "zoom in, out, fit", (key) => (key === "0" ? fit() : zoom(key === "+" || key === "=" ? 0.8 : 1.25)), ["+", "=", "-", "0"]],
  ["/", "search", () => byId("find").focus(), ["/"]],
  ["Esc", "let go of everything", () => clear(), ["Escape"]],
  ["?", "this list", () => byId("help").showModal(), ["?"]],
];

function closeHere(layer) {
  const closed = document.activeElement?.dataset?.shut;
  const cell = closed ?? view().boxes[state.box]?.cell;
  if (cell !== undefined && cell >= 0) toggleCell(Number(cell), layer);
}

function pressKey(event) {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const kind = target.type === "range" ? "range" : target.tagName;
  const own = { INPUT: /./, range: /^(Arrow|Page|Home|End)/, BUTTON: /^( |Enter|Arrow.*)$/, DIV: /^( |Arrow.*|Home|End)$/ }[kind];
  if (own?.test(key) && target !== document.body) return;
  if (key === "Enter" || (key === " " && target.dataset?.shut !== undefined)) {
    if (target.dataset?.shut === undefined) return;
    event.preventDefault();
    toggleCell(Number(target.dataset.shut));
    return;
  }
  const found = KEYS.find(([, , , keys]) => keys.includes(key));
  if (!found) return;
  event.preventDefault();
  found[2](key);
}

function show(place) {
  if (place === state.view) return;
  clearInterval(playing);
  if (playing) play();
  const kept = pinned?.light;
  clear();
  state.view = place;
  document.querySelectorAll("[data-view]").forEach((drawing) => { drawing.hidden = Number(drawing.dataset.view) !== place; });
  for (const button of byId("levels").children) button.setAttribute("aria-pressed", String(Number(button.dataset.level) === place));
  if (!camera.begun[place]) begin();
  plan();
  redraw();
  mark(-1);
  if (kept && !kept.words[0]?.toString().startsWith("all paths through")) pin(kept.again());
  tell("viewed");
}

function openTab(name) {
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
}

function startTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => openTab(tab.getAttribute("aria-controls")));
    tab.addEventListener("keydown", ({ key }) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!by) return;
      const next = tabs[(place + by + tabs.length) % tabs.length];
      openTab(next.getAttribute("aria-controls"));
      next.focus();
    });
  });
}

function startTheme() {
  const root = document.documentElement;
  const wanted = data.theme === "dark" ? "dark" : data.theme === "auto" ? "" : "light";
  if (wanted) root.dataset.theme = wanted;
  byId("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
}

function start() {
  const names = { cell: "Cells", op: "Operations", rolled: "Rolled", open: "One step" };
  data.views.forEach(({ level }, place) => {
    byId("levels").append(element("button", { type: "button", "data-level": place, "aria-pressed": String(place === 0), onclick: () => show(place) }, names[level]));
  });
  byId("levels").hidden = data.views.length < 2;
  byId("shut-all").addEventListener("click", () => shutAll(!state.shut[state.view].size));
  byId("ask").addEventListener("click", () => byId("help").showModal());
  byId("keys").append(...KEYS.flatMap(([keys, words]) => [element("dt", {}, keys), element("dd", {}, words)]));
  document.body.classList.toggle("bare", !view().boxes.length);
  startTheme();
  startTabs();
  startDiagram(byId("stage"));
  startCamera(byId("stage"));
  begin();
  startDetails();
  startLight();
  startPass();
  startFind();
  startTable();
  redraw();
  mark(-1);
  document.addEventListener("keydown", pressKey);
}

start();
