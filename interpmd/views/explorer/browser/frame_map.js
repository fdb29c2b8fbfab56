// All frames as points over two coordinates, coloured by a third one or by an interaction; a click on
// a point shows its frame.

const MAP_HEIGHT = 330, MAP_LEFT = 62, MAP_BELOW = 42, MAP_RIGHT = 14, MAP_ABOVE = 12;
// pixels around the pointer in which a point is found
const NEAR = 16;
// from low to high, told apart in grey and with any colour vision (cividis)
const RAMP = [[0, 0.135, 0.304], [0.343, 0.364, 0.427], [0.6, 0.575, 0.47], [0.996, 0.909, 0.217]];

class FrameMap {
  constructor(explorer) {
    this.explorer = explorer;
    this.canvas = make("canvas", { class: "im-scatter", tabindex: 0, role: "img",
      onclick: (event) => this.press(event), onmousemove: (event) => this.over(event),
      onmouseleave: () => this.say(null), onkeydown: (event) => explorer.key(event) });
    this.boxes = {};
    const field = (name, words) => {
      this.boxes[name] = make("select", { "data-axis": name });
      this.boxes[name].addEventListener("change", () => this.paint());
      return make("label", {}, make("span", {}, words), this.boxes[name]);
    };
    this.words = make("p", { class: "im-how", "aria-live": "polite" });
    this.scale = make("span", { class: "im-ramp", "aria-hidden": "true" });
    this.low = make("span");
    this.high = make("span");
    this.all = make("button", { type: "button", class: "im-all",
      onclick: () => explorer.asking.all() }, "explain all frames");
    this.node = make("section", { class: "im-frames", "aria-label": "map of all frames" },
      make("div", { class: "im-controls" }, field("x", "across"), field("y", "up"),
        field("colour", "colour"), this.all),
      this.canvas, make("p", { class: "im-legend" }, this.low, this.scale, this.high), this.words);
    if (window.ResizeObserver) new ResizeObserver(() => this.paint()).observe(this.canvas);
  }

  learn(content) {
    this.asked = true;
    if (content.trouble) return void write(this.words, content.trouble);
    this.axes = new Map(content.axes.map((axis) => [axis.name, axis]));
    for (const name of ["x", "y", "colour"]) {
      this.boxes[name].replaceChildren(...content.axes.map((axis) =>
        make("option", { value: axis.name }, axis.name)));
      this.boxes[name].value = content[name];
    }
    this.explorer.root.dataset.mapped = content.axes.length;
    this.explorer.draw();
  }

  update(book, answer, state) {
    if (this.node.hidden) return;
    if (!this.axes) {
      if (!this.asked) {
        this.asked = true;
        write(this.words, "computing…");
        this.explorer.source.map(this);
      }
      return;
    }
    this.book = book;
    this.answer = answer;
    this.state = state;
    this.offer(answer);
    this.paint();
  }

  // the interactions of this answer as colours, after the coordinates
  offer(answer) {
    const names = answer.bars.slice(0, BRIEF).map((bar) => bar.key);
    const signature = `${answer.key} ${names.join()}`;
    if (signature === this.offered) return;
    this.offered = signature;
    const box = this.boxes.colour, now = box.value;
    box.replaceChildren(
      make("optgroup", { label: "of the frame" }, ...[...this.axes.keys()].map((name) =>
        make("option", { value: name }, name))),
      make("optgroup", { label: "of the answer" }, make("option", { value: "row =" }, "the sum"),
        ...answer.bars.slice(0, BRIEF).map((bar) =>
          make("option", { value: `row ${bar.key}` }, bar.label))));
    box.value = [...box.options].some((option) => option.value === now) ? now
      : this.axes.keys().next().value;
  }

  // value of each frame, null where it is not known; with its unit
  colours() {
    const chosen = this.boxes.colour.value;
    if (!chosen.startsWith("row ")) {
      const axis = this.axes.get(chosen);
      return { values: axis.values, unit: axis.unit, row: false };
    }
    const key = chosen.slice(4), { book, answer, state } = this;
    const values = this.axes.values().next().value.values.map((_, frame) => {
      const known = book.brief.get(frame);
      return !known ? null : key === "=" ? known.total : valueAt(book, frame, key);
    });
    const factor = UNITS[state.unit];
    return { values: values.map((v) => (v === null ? null : v * factor)),
      unit: unitName(answer.unit, state.unit), row: true };
  }

  paint() {
    if (!this.axes || !this.state || this.node.hidden || !this.canvas.clientWidth) return;
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = MAP_HEIGHT;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const draw = canvas.getContext("2d");
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw.fillStyle = "#fff";
    draw.fillRect(0, 0, width, height);
    const [x, y] = ["x", "y"].map((name) => this.axes.get(this.boxes[name].value));
    const across = scaleOf(x.values, MAP_LEFT, width - MAP_RIGHT);
    const up = scaleOf(y.values, height - MAP_BELOW, MAP_ABOVE);
    this.points = x.values.map((value, frame) => [across.place(value), up.place(y.values[frame])]);
    this.drawAxes(draw, width, height, [x, across], [y, up]);
    const { values, unit, row } = this.colours();
    const known = values.filter((value) => value !== null);
    const low = known.reduce((a, b) => Math.min(a, b), row ? 0 : Infinity);
    const high = known.reduce((a, b) => Math.max(a, b), row ? 0 : -Infinity);
    const largest = Math.max(-low, high) || 1;
    const tint = (value) => css(row ? shade(value, largest, 0.12) : ramp((value - low) / (high - low || 1)));
    // unknown ones first, so that they hide nothing
    const order = values.map((_, frame) => frame).sort((a, b) =>
      (values[a] !== null) - (values[b] !== null) || (row ? Math.abs(values[a]) - Math.abs(values[b]) : 0));
    const size = values.length > 600 ? 2.6 : 4;
    for (const frame of order) {
      const [px, py] = this.points[frame], value = values[frame];
      draw.beginPath();
      // what acts against has corners, so that colour does not tell it alone
      if (row && value !== null && value < 0) draw.rect(px - size, py - size, 2 * size, 2 * size);
      else draw.arc(px, py, size, 0, 7);
      draw.fillStyle = value === null ? "#fff" : tint(value);
      draw.fill();
      draw.strokeStyle = value === null ? "#bbb" : "#0006";
      draw.lineWidth = 0.8;
      draw.stroke();
    }
    const [px, py] = this.points[this.state.frame];
    for (const [radius, colour, thick] of [[10, "#fff", 5], [10, "#111", 2.5]]) {
      draw.beginPath();
      draw.arc(px, py, radius, 0, 7);
      draw.strokeStyle = colour;
      draw.lineWidth = thick;
      draw.stroke();
    }
    const digits = (value) => (known.length ? `${plain(value)} ${unit}` : "");
    write(this.low, digits(row ? -largest : low));
    write(this.high, known.length ? digits(row ? largest : high) : "not explained yet");
    this.scale.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((part) =>
      css(row ? shade((2 * part - 1) * largest, largest, 0.12) : ramp(part))).join(", ")})`;
    this.all.hidden = !row || !known || known.length >= values.length || !this.explorer.source.live;
    canvas.setAttribute("aria-label", `${values.length} frames over ${x.name} and ${y.name}, `
      + `coloured by ${this.boxes.colour.selectedOptions[0].textContent}; frame ${this.state.frame} is `
      + "marked; arrow keys step through the frames");
    this.explorer.root.dataset.coloured = known.length;
    this.say(null);
  }

  drawAxes(draw, width, height, [x, across], [y, up]) {
    draw.strokeStyle = "#999";
    draw.fillStyle = "#333";
    draw.font = "12px system-ui, sans-serif";
    draw.lineWidth = 1;
    draw.strokeRect(MAP_LEFT - 8, MAP_ABOVE - 8, width - MAP_LEFT - MAP_RIGHT + 16,
      height - MAP_ABOVE - MAP_BELOW + 16);
    draw.textAlign = "center";
    const below = height - MAP_BELOW + 22;
    let taken = -Infinity;
    for (const value of across.ticks) {
      const text = plain(value), half = draw.measureText(text).width / 2;
      if (across.place(value) - half < taken + 8) continue;
      draw.fillText(text, across.place(value), below);
      taken = across.place(value) + half;
    }
    draw.textAlign = "right";
    for (const value of up.ticks) draw.fillText(plain(value), MAP_LEFT - 12, up.place(value) + 4);
    const named = (axis) => (axis.unit ? `${axis.name} (${axis.unit})` : axis.name);
    draw.textAlign = "center";
    draw.fillText(named(x), (MAP_LEFT + width - MAP_RIGHT) / 2, height - 4);
    draw.save();
    draw.translate(13, (height - MAP_BELOW) / 2);
    draw.rotate(-Math.PI / 2);
    draw.fillText(named(y), 0, 0);
    draw.restore();
  }

  nearest(event) {
    if (!this.points) return null;
    const box = this.canvas.getBoundingClientRect();
    const px = event.clientX - box.left, py = event.clientY - box.top;
    let best = null, least = NEAR ** 2;
    this.points.forEach(([x, y], frame) => {
      const far = (x - px) ** 2 + (y - py) ** 2;
      if (far < least) [best, least] = [frame, far];
    });
    return best;
  }

  press(event) {
    const frame = this.nearest(event);
    if (frame !== null) this.explorer.show(frame);
  }

  over(event) {
    const frame = this.nearest(event);
    this.canvas.style.cursor = frame === null ? "default" : "pointer";
    this.say(frame);
  }

  // what is known of a frame, of the present one if none is pointed at
  say(pointed) {
    if (!this.axes || !this.state) return;
    const frame = pointed === null ? this.state.frame : pointed;
    const parts = ["x", "y"].map((name) => this.axes.get(this.boxes[name].value)).map((axis) =>
      `${axis.name} ${plain(axis.values[frame])} ${axis.unit}`.trim());
    const { values, unit } = this.colours();
    const colour = this.boxes.colour.selectedOptions[0].textContent;
    const told = values[frame] === null ? "not explained yet" : `${plain(values[frame])} ${unit}`.trim();
    write(this.words, `Frame ${frame}: ${parts.join(", ")}; ${colour}: ${told}. Click a point to see `
      + "its frame.");
  }
}

// places of values between two ends, with round numbers for ticks
function scaleOf(values, from, to) {
  let low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
  const rough = (high - low) / 7, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((s) => s * power).find((s) => s >= rough);
  const ticks = [];
  for (let n = Math.ceil(low / step); n * step <= high + 1e-9 * step; n++) ticks.push(n * step);
  return { ticks, place: (value) => from + ((to - from) * (value - low)) / (high - low) };
}

function ramp(part) {
  const at = Math.max(0, Math.min(1, part)) * (RAMP.length - 1), n = Math.min(RAMP.length - 2, Math.floor(at));
  return RAMP[n].map((c, d) => c + (at - n) * (RAMP[n + 1][d] - c));
}

function plain(value) {
  return `${+value.toPrecision(4)}`.replace("-", "−");
}
