// What every other file of the page uses: the data, elements, numbers, and who is told when something changes.

const data = JSON.parse(document.getElementById("data").textContent);
const state = { view: 0, box: -1, at: 0, shut: data.views.map(() => new Set()) };

const byId = (id) => document.getElementById(id);
const view = () => data.views[state.view];

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== ""));
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Text with sub- and superscripts: a string, or a list of strings and [text, 1 for below, 2 for above].
function rich(text) {
  if (!text || !text.length) return [];
  if (typeof text === "string") return [text];
  return text.map((part) => (typeof part === "string" ? part : element(part[1] === 1 ? "sub" : "sup", {}, part[0])));
}

function plain(text) {
  if (typeof text === "string") return text;
  return text.map((part) => (typeof part === "string" ? part : (part[1] === 1 ? "_" : "^") + part[0])).join("");
}

function number(value) {
  if (typeof value !== "number") return value === undefined ? "" : String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e4) return String(Number(value.toPrecision(3)));
  return value.toExponential(2).replace("e+", "e");
}

function percent(share) {
  if (typeof share !== "number") return share === undefined ? "" : String(share);
  if (share === 0) return "0\u00a0%";
  const size = Math.abs(share) * 100;
  return (size < 0.01 ? (share * 100).toExponential(1) : Number((share * 100).toPrecision(3))) + "\u00a0%";
}

const told = {};
function on(what, listener) {
  (told[what] ??= []).push(listener);
}
function tell(what, ...about) {
  for (const listener of told[what] ?? []) listener(...about);
}
