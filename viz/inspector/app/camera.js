// Pan and zoom: the view box of the drawing is the camera.

const camera = { whole: [], box: [], begun: [] };

function svg() {
  return document.querySelector(`[data-view="${state.view}"] > svg`);
}

function look([x, y, wide, high]) {
  camera.box[state.view] = [x, y, wide, high];
  svg().setAttribute("viewBox", [x, y, wide, high].map((at) => Math.round(at * 100) / 100).join(" "));
}

function fit() {
  look(camera.whole[state.view]);
}

// A drawing so wide that nothing could be read of the whole begins at its left end, as large as the boxes allow.
const LEGIBLE = 0.45;
function begin() {
  const { width, height } = svg().getBoundingClientRect();
  const [x, , wide] = camera.whole[state.view];
  const spots = view().boxes.map(({ spot }) => spot);
  const top = Math.min(...spots.map((spot) => spot[1])) - 30;
  const low = Math.max(...spots.map((spot) => spot[1] + spot[3])) + 60;
  const scale = Math.min(1, height / (low - top));
  fit();
  if (width / wide < LEGIBLE && scale > width / wide) {
    look([x, view().origin[1] + (top + low) / 2 - height / scale / 2, width / scale, height / scale]);
  }
  camera.begun[state.view] = true;
}

// Pixels a unit of the drawing takes, and the point of the drawing under a point of the screen.
function lens() {
  const [x, y, wide, high] = camera.box[state.view];
  const frame = svg().getBoundingClientRect();
  const scale = Math.min(frame.width / wide, frame.height / high);
  const left = frame.left + (frame.width - wide * scale) / 2;
  const top = frame.top + (frame.height - high * scale) / 2;
  return { scale, at: (px, py) => [x + (px - left) / scale, y + (py - top) / scale] };
}

function zoom(factor, px, py) {
  const [x, y, wide, high] = camera.box[state.view];
  const most = camera.whole[state.view][2] * 4;
  const by = Math.min(Math.max(factor, 40 / wide), most / wide);
  const [cx, cy] = px === undefined ? [x + wide / 2, y + high / 2] : lens().at(px, py);
  look([cx - (cx - x) * by, cy - (cy - y) * by, wide * by, high * by]);
}

function pan(dx, dy) {
  const [x, y, wide, high] = camera.box[state.view];
  look([x - dx, y - dy, wide, high]);
}

// Bring a place of the drawing into sight, without moving more than needed; what is in sight already stays.
function reveal([left, top, wide, high]) {
  const [ox, oy] = view().origin;
  const [x, y, across, down] = camera.box[state.view];
  const shift = (from, size, low, room) => {
    if (low >= from && low + size <= from + room) return 0;
    const edge = Math.max(0, Math.min(0.15 * room, (room - size) / 2));
    return low < from ? low - edge - from : low + size + edge - from - room;
  };
  const by = [shift(x, wide, left + ox, across), shift(y, high, top + oy, down)];
  if (by[0] || by[1]) look([x + by[0], y + by[1], across, down]);
}

function startCamera(stage) {
  const pointers = new Map();
  let moved = 0;
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) / 500), event.clientX, event.clientY);
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (event.button === 0) pointers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = 0;
  });
  stage.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const now = [event.clientX, event.clientY];
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    moved += Math.hypot(now[0] - last[0], now[1] - last[1]);
    if (others.length === 1) {
      const apart = (at) => Math.hypot(at[0] - others[0][0], at[1] - others[0][1]);
      zoom(apart(last) / Math.max(1, apart(now)), (now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2);
    } else if (moved > 4) {
      stage.setPointerCapture(event.pointerId);
      const { scale } = lens();
      pan((now[0] - last[0]) / scale, (now[1] - last[1]) / scale);
    }
    pointers.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  // A drag is not a click.
  stage.addEventListener("click", (event) => {
    if (moved > 4) event.stopPropagation();
  }, true);
  byId("in").addEventListener("click", () => zoom(0.8));
  byId("out").addEventListener("click", () => zoom(1.25));
  byId("fit").addEventListener("click", fit);
}
