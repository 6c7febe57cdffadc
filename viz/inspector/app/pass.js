// The forward pass box by box, then the backward pass: at every place what is not computed yet is faded.

let frames = [];
let playing = 0;

function startPass() {
  byId("at").addEventListener("input", () => step(Number(byId("at").value)));
  byId("before").addEventListener("click", () => step(state.at - 1));
  byId("after").addEventListener("click", () => step(state.at + 1));
  byId("play").addEventListener("click", play);
  plan();
}

function plan() {
  const { order, boxes, edges } = view();
  const back = [...order].reverse().filter((box) => edges.some((edge) => edge.to === box && edge.state !== undefined));
  frames = [...order.map((box) => ({ box })), ...back.map((box) => ({ box, back: true }))];
  byId("at").max = String(frames.length);
  step(frames.length);
}

// Show what is computed after `at` boxes.
function step(at) {
  state.at = Math.min(Math.max(at, 0), frames.length);
  const { root, boxes, edges, tags } = here();
  const done = frames.slice(0, state.at);
  const forward = new Set(done.filter(({ back }) => !back).map(({ box }) => box));
  const backward = new Set(done.filter(({ back }) => back).map(({ box }) => box));
  const whole = state.at === frames.length;
  root.classList.toggle("stepping", !whole);
  view().order.forEach((box) => {
    boxes[box]?.classList.toggle("todo", !forward.has(box));
    boxes[box]?.classList.remove("current");
  });
  view().tags.forEach(({ box }, place) => {
    tags[place]?.classList.toggle("todo", !forward.has(box));
    tags[place]?.classList.toggle("unsent", !backward.has(box));
  });
  view().edges.forEach((edge, place) => {
    edges[place]?.classList.toggle("todo", !forward.has(edge.to));
    edges[place]?.classList.toggle("unsent", edge.state !== undefined && !backward.has(edge.to));
  });
  dress();
  byId("at").value = String(state.at);
  const last = frames[state.at - 1];
  if (!whole && last) boxes[last.box]?.classList.add("current");
  if (!whole && last && !hiddenBox(last.box)) reveal(view().boxes[last.box].spot);
  if (!whole && last) attend(last.box);
  const words = caption(last, whole);
  byId("at").setAttribute("aria-valuetext", words.map((part) => part.textContent ?? part).join(""));
  byId("said").replaceChildren(...words);
}

function caption(last, whole) {
  const forward = frames.filter(({ back }) => !back).length;
  if (whole) return ["Whole picture. Step back to replay the forward and the backward pass."];
  if (!last) return [`Nothing is computed yet: ${forward} boxes forward` + (frames.length > forward ? `, then ${frames.length - forward} back.` : ".")];
  const { nodes, label, t } = view().boxes[last.box];
  const node = data.nodes[nodes.at(-1)];
  const name = node.called === undefined ? [label] : rich(node.name);
  const place = last.back ? `Backward ${state.at - forward} of ${frames.length - forward}` : `Forward ${state.at} of ${forward}`;
  const start = [element("b", {}, place), t ? ` · ${t} · ` : " · "];
  if (!last.back) {
    const value = node.value && (node.value.size === 1 ? ` = ${number(node.value.first[0])}` : ` has norm ${number(node.value.norm)}`);
    const made = node.called === undefined && node.computes ? [] : [...name, node.computes ? " = " : ""];
    return [...start, ...made, ...rich(node.computes), value ? ` · value${value}` : ""];
  }
  const sent = view().edges.filter((edge) => edge.to === last.box && edge.state !== undefined);
  const same = (box) => view().boxes[box].nodes.at(-1) === nodes.at(-1);
  // A state stands apart from the box that makes it: what it hands on is what later steps send back to it.
  if (sent.length === 1 && same(sent[0].from)) return [...start, ...name, ` gathers ${number(sent[0].norm)} from what it feeds, and hands it back to where it is made`];
  const parts = sent.slice(0, 4).flatMap((edge, place) => [`${place ? ", " : ""}${number(edge.norm)} to `, ...named(edge.from)]);
  const size = node.adjoint && number(node.adjoint.norm ?? Math.abs(node.adjoint.first[0]));
  const arrived = size === undefined ? [...name] : node.called === undefined ? [...name, `: ${size} arrives`] : ["|∂L/∂", ...name, `| = ${size}`];
  return [...start, ...arrived, ...(parts.length ? [" · sends back ", ...parts] : [])];
}

function named(box) {
  const { nodes, label } = view().boxes[box];
  const node = data.nodes[nodes.at(-1)];
  return node.called === undefined ? [label] : rich(node.name);
}

function play() {
  const start = !playing;
  clearInterval(playing);
  playing = 0;
  byId("play").textContent = start ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(start));
  if (!start) return;
  if (state.at === frames.length) step(0);
  playing = setInterval(() => {
    step(state.at + 1);
    if (state.at === frames.length) play();
  }, 450);
}
