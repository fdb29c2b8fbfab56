// A molecule that moves, the force on an atom, and energy and temperature by time.
// Drawn when the browser is ready for the next picture; the kernel hears of each, and sends no other
// before that: frames are dropped, not queued.

const ARROW = 0.35, LONGEST = 1.5;  // Å for 1 eV/Å; Å at most
const INK = "#1a1a1a", BOND = "#888888", ALONG = "#0072b2", AGAINST = "#d55e00", HEAT = "#009e73";

function make(tag, parent, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

function floats(view) {
  if (!view || !view.byteLength) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function signed(value, digits) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
}

// a canvas of the size that it has on the page, sharp on every screen
function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return [pen, width, height];
}

function stroke(pen, from, to, colour, width, dash = []) {
  pen.beginPath();
  pen.setLineDash(dash);
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke();
  pen.setLineDash([]);
}

function write(pen, text, x, y, { align = "center", colour = INK, size = 12, bold = false } = {}) {
  pen.font = `${bold ? "bold " : ""}${size}px system-ui, sans-serif`;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.strokeStyle = "#ffffff";
  pen.lineWidth = 3;
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

function arrow(pen, from, to) {
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  stroke(pen, from, to, INK, 3);
  pen.beginPath();
  pen.moveTo(to[0] + 6 * Math.cos(angle), to[1] + 6 * Math.sin(angle));
  for (const turn of [2.5, -2.5]) {
    pen.lineTo(to[0] + 8 * Math.cos(angle + turn), to[1] + 8 * Math.sin(angle + turn));
  }
  pen.fillStyle = INK;
  pen.fill();
}

function drawMolecule(canvas, scene, state, positions, turn) {
  const [pen, width, height] = fitted(canvas);
  const count = scene.radii.length;
  if (positions.length !== 3 * count) return;
  const listed = 17 * state.rows.length, top = 24;
  const scale = Math.min(width, height - top - listed) / (2 * scene.reach);
  const middle = [width / 2, top + (height - top - listed) / 2];
  const centre = [0, 1, 2].map((d) => positions.reduce((sum, v, i) => sum + (i % 3 === d ? v : 0), 0) / count);
  const seen = (v) => turn.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
  const points = scene.radii.map((_, i) => {
    const [x, y, z] = seen([0, 1, 2].map((d) => positions[3 * i + d] - centre[d]));
    return [middle[0] + scale * x, middle[1] - scale * y, z];
  });
  pen.lineCap = "round";
  for (const [i, j] of state.bonds) stroke(pen, points[i].slice(0, 2), points[j].slice(0, 2), BOND, 6);
  const largest = Math.max(...state.rows.map((row) => Math.abs(row.value)), 1e-9);
  pen.globalAlpha = 0.75;
  for (const { atoms, value } of state.rows) {
    const corners = atoms.length > 2 ? [...atoms, atoms[0]] : atoms;
    for (let k = 1; k < corners.length; k++) {
      stroke(pen, points[corners[k - 1]].slice(0, 2), points[corners[k]].slice(0, 2),
        value < 0 ? AGAINST : ALONG, 2 + 5 * Math.abs(value) / largest, value < 0 ? [4, 6] : []);
    }
  }
  pen.globalAlpha = 1;
  for (const i of points.map((_, i) => i).sort((a, b) => points[a][2] - points[b][2])) {
    const [x, y] = points[i];
    pen.beginPath();
    pen.arc(x, y, scale * scene.radii[i], 0, 2 * Math.PI);
    pen.fillStyle = scene.colours[i];
    pen.fill();
    pen.lineWidth = 1;
    pen.strokeStyle = "#000000";
    pen.stroke();
    write(pen, scene.names[i], x, y, { size: 10 });
  }
  const size = Math.hypot(...state.force), spot = points[state.atom];
  if (size > 0.05) {
    const flat = seen(state.force), length = scale * Math.min(ARROW, LONGEST / size);
    arrow(pen, spot.slice(0, 2), [spot[0] + length * flat[0], spot[1] - length * flat[1]]);
  }
  write(pen, `force on ${scene.names[state.atom]}: ${size.toFixed(2)} eV/Å`, width / 2, 11, { size: 13, bold: true });
  state.rows.forEach(({ name, value }, k) => {
    const text = `${value < 0 ? "╍" : "━"} ${name} ${signed(value, 2)}`;
    write(pen, text, width / 2, height - listed + 17 * k + 9, { colour: value < 0 ? AGAINST : ALONG });
  });
}

// round numbers between two limits
function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
}

function curve(pen, box, times, values, { colour, title, dashed, bottom }) {
  const [left, top, width, height] = box;
  let low = Math.min(...values, dashed ?? Infinity), high = Math.max(...values, dashed ?? -Infinity);
  const room = 0.08 * (high - low) || 0.05;
  [low, high] = [low - room, high + room];
  const end = Math.max(times[times.length - 1], times[0] + 1e-6);
  const place = (t, v) => [left + width * (t - times[0]) / (end - times[0]), top + height * (high - v) / (high - low)];
  const [levels, digits] = ticks(low, high, 3);
  for (const level of levels) {
    const y = place(times[0], level)[1];
    stroke(pen, [left, y], [left + width, y], "#e4e4e4", 1);
    write(pen, level.toFixed(digits).replace("-", "−"), left - 6, y, { align: "right", size: 11 });
  }
  if (dashed !== undefined) stroke(pen, place(times[0], dashed), [left + width, place(0, dashed)[1]], INK, 1, [5, 4]);
  pen.beginPath();
  times.forEach((t, k) => (k ? pen.lineTo(...place(t, values[k])) : pen.moveTo(...place(t, values[k]))));
  pen.strokeStyle = colour;
  pen.lineWidth = 1.8;
  pen.stroke();
  stroke(pen, [left, top + height], [left + width, top + height], INK, 1);
  write(pen, title, left, top - 9, { align: "left", colour, bold: true });
  if (!bottom) return;
  const [moments, places] = ticks(times[0], end, 4);
  for (const t of end - times[0] > 1e-3 ? moments : []) {
    write(pen, t.toFixed(places), place(t, low)[0], top + height + 11, { size: 11 });
  }
  write(pen, "time (fs)", left + width / 2, top + height + 27);
}

function drawStrip(canvas, state, history) {
  const [pen, width, height] = fitted(canvas);
  const count = history.length / 3;
  if (!count) return;
  const [times, energies, heats] = [0, 1, 2].map((k) => Array.from(history.slice(k * count, (k + 1) * count)));
  const left = 52, each = (height - 88) / 2;
  curve(pen, [left, 24, width - left - 12, each], times, energies, { colour: ALONG, title: "potential energy − first (eV)" });
  curve(pen, [left, 24 + each + 28, width - left - 12, each], times, heats,
    { colour: HEAT, title: "temperature (K); dashed: thermostat", dashed: state.thermostat, bottom: true });
}

function render({ model, el }) {
  const root = make("div", el, { class: "interpmd-live" });
  const molecule = make("canvas", root, { role: "img" }), strip = make("canvas", root, { role: "img" });
  const moments = [];
  let turn = model.get("scene").axes, asked = false, drawn = 0, spot = null, last = [];

  const draw = () => {
    asked = false;
    const state = model.get("state");
    drawMolecule(molecule, model.get("scene"), state, floats(model.get("positions")), turn);
    const curves = [model.get("history"), strip.clientWidth, state.thermostat];
    if (curves.some((part, k) => part !== last[k])) drawStrip(strip, state, floats(curves[0]));
    last = curves;
    molecule.setAttribute("aria-label", state.words);
    strip.setAttribute("aria-label", "potential energy and temperature by time");
    const now = performance.now();
    moments.push(now);
    while (moments.length && now - moments[0] > 2000) moments.shift();
    Object.assign(root.dataset, { drawn: ++drawn, number: state.number, rate: (moments.length / 2).toFixed(1) });
    model.send({ seen: state.number });
  };
  const ask = () => {
    if (!asked) requestAnimationFrame(draw);
    asked = true;
  };
  const rotate = (event) => {
    if (!spot) return;
    const [a, b] = [(event.clientX - spot[0]) / 120, (event.clientY - spot[1]) / 120];
    spot = [event.clientX, event.clientY];
    const [x, y, z] = turn, [c, s, e, f] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    const depth = z.map((v, d) => c * v - s * x[d]);
    turn = [x.map((v, d) => c * v + s * z[d]), y.map((v, d) => e * v + f * depth[d]), depth.map((v, d) => e * v - f * y[d])];
    ask();
  };
  const release = () => { spot = null; };
  molecule.addEventListener("pointerdown", (event) => { spot = [event.clientX, event.clientY]; });
  window.addEventListener("pointermove", rotate);
  window.addEventListener("pointerup", release);
  const names = ["scene", "state", "positions", "history"].map((name) => `change:${name}`).join(" ");
  model.on(names, ask);
  const watch = new ResizeObserver(ask);
  watch.observe(root);
  ask();
  return () => {
    watch.disconnect();
    window.removeEventListener("pointermove", rotate);
    window.removeEventListener("pointerup", release);
    model.off(names, ask);
  };
}

export default { render };
