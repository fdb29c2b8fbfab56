// Contributions over time, and where the present frame is.

// lines where nobody chose any: the contributions that are largest on average
const DRAWN = 3;
const DOTTED = 60;

class TimeLine {
  constructor(explorer) {
    this.explorer = explorer;
    this.svg = make("svg", { class: "im-time", role: "img", viewBox: "0 0 600 150",
      preserveAspectRatio: "none" });
    // on a layer of its own, which moves without painting the lines again
    this.cursor = make("div", { class: "im-now", "aria-hidden": "true" });
    this.marks = ["top", "nought", "bottom"].map((at) => make("span", { class: `im-tick im-${at}` }));
    this.plot = make("div", { class: "im-plot", onclick: (event) => this.jump(event) },
      make("div", { class: "im-axis-words", "aria-hidden": "true" }, ...this.marks),
      make("div", { class: "im-curves" }, this.svg, this.cursor));
    this.keys = make("p", { class: "im-series" });
    this.unit = make("span", { class: "im-unit" });
    this.status = make("span", { class: "im-status", role: "status" });
    this.all = make("button", { type: "button", class: "im-all",
      onclick: () => explorer.asking.all() }, "explain all frames");
    this.ends = make("p", { class: "im-ends" });
    this.node = make("section", { class: "im-timeline", "aria-label": "time line" },
      make("div", { class: "im-head" }, make("h4", {}, "Over time"), this.unit, this.status,
        this.all), this.plot, this.ends, this.keys);
  }

  // the same lines in every frame of a film, so that the eye can follow them
  chosen(book, answer, state) {
    const known = (key) => answer.bars.some((bar) => bar.key === key);
    const pinned = state.pinned.filter(known);
    if (pinned.length) return pinned;
    const signature = `${answer.key} ${book.brief.size}`;
    if (signature !== this.counted) {
      this.counted = signature;
      const sums = new Map();
      for (const { bars } of book.brief.values())
        for (const [key, value] of bars) sums.set(key, (sums.get(key) || 0) + Math.abs(value));
      this.largest = [...sums].sort((a, b) => b[1] - a[1]).map(([key]) => key);
    }
    return this.largest.filter((key) => key !== "others").slice(0, DRAWN);
  }

  update(book, answer, state, frames) {
    if (frames < 2) return;
    const chosen = this.chosen(book, answer, state);
    const signature = `${answer.key} ${book.brief.size} ${chosen} ${state.unit}`;
    if (signature !== this.signature) {
      this.signature = signature;
      this.lines(book, answer, chosen, state, frames);
    }
  }

  point(frame, frames) {
    this.cursor.style.transform = `translateX(${(100 * frame) / Math.max(1, frames - 1)}%)`;
  }

  lines(book, answer, chosen, state, frames) {
    const frameList = [...book.brief.keys()].sort((a, b) => a - b);
    const series = chosen.map((key) => ({ key,
      values: frameList.map((frame) => valueAt(book, frame, key)) }));
    const totals = frameList.map((frame) => book.brief.get(frame).total);
    // what has no line of its own, so that the lines add up to the sum
    const others = totals.map((total, n) => series.some(({ values }) => values[n] === null) ? null
      : total - series.reduce((sum, { values }) => sum + values[n], 0));
    if (others.some((value) => Math.abs(value) > 5e-4)) series.push({ key: "", values: others });
    series.push({ key: "=", values: totals });
    const every = series.flatMap((s) => s.values).filter((value) => value !== null);
    const low = every.reduce((a, b) => Math.min(a, b), 0);
    const high = every.reduce((a, b) => Math.max(a, b), 0);
    const y = (value) => 145 - (140 * (value - low)) / (high - low || 1);
    const x = (frame) => (600 * frame) / Math.max(1, frames - 1);
    this.svg.replaceChildren(make("line", { class: "im-axis", x1: 0, x2: 600, y1: y(0), y2: y(0) }));
    this.keys.replaceChildren();
    series.forEach(({ key, values }, n) => {
      const sum = key === "=";
      const [colour, dash] = sum ? ["#000", ""] : key === "" ? ["#777", "1 2"]
        : SERIES[n % SERIES.length];
      let before = -2;
      const path = frameList.map((frame, i) => {
        if (values[i] === null) return "";
        const step = frame === before + 1 ? "L" : "M";
        before = frame;
        return `${step}${x(frame).toFixed(1)} ${y(values[i]).toFixed(1)}`;
      }).join("");
      const style = { stroke: colour, "stroke-dasharray": dash || null, class: sum ? "im-total" : "" };
      this.svg.append(make("path", { d: path, ...style }));
      if (frameList.length < DOTTED)
        frameList.forEach((frame, i) => values[i] !== null && this.svg.append(
          make("line", { x1: x(frame), x2: x(frame) + 0.01, y1: y(values[i]), y2: y(values[i]),
            stroke: colour, class: "im-dot" })));
      const bar = answer.bars.find((b) => b.key === key);
      const sample = make("svg", { width: 30, height: 8, "aria-hidden": "true" },
        make("line", { x1: 0, x2: 30, y1: 4, y2: 4, ...style }));
      this.keys.append(make("span", {}, sample, ` ${sum ? "sum" : key === "" ? "all others" : bar ? bar.label : key} `));
    });
    const factor = UNITS[state.unit];
    this.unit.textContent = unitName(answer.unit, state.unit);
    const [top, zero, bottom] = this.marks;
    top.textContent = high > 0 ? signed(high, factor) : "";
    bottom.textContent = low < 0 ? signed(low, factor) : "";
    zero.textContent = "0";
    zero.style.top = `${(100 * y(0)) / 150}%`;
    zero.hidden = (high > 0 && y(0) < 30) || (low < 0 && y(0) > 120);
    const { times, timed } = this.explorer.scene;
    const name = (frame) => timed ? `${+times[frame].toFixed(1)} fs` : `frame ${frame}`;
    this.ends.replaceChildren(make("span", {}, name(0)), make("span", {}, name(frames - 1)));
    this.svg.setAttribute("aria-label",
      `${chosen.length} contributions and their sum at ${frameList.length} of ${frames} frames`);
    const waiting = frameList.length < Math.min(3, frames);
    if (waiting || this.status.textContent.startsWith("the lines"))
      this.status.textContent = waiting ? "the lines grow as frames are looked at" : "";
    this.all.hidden = frameList.length >= frames || !this.explorer.source.live;
  }

  jump(event) {
    const box = this.svg.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    this.explorer.show(Math.round(part * (this.explorer.geometry.frames - 1)));
  }
}

// null where it is no longer known
function valueAt(book, frame, key) {
  const value = book.brief.get(frame).bars.get(key);
  if (value !== undefined) return value;
  const whole = book.whole.get(frame);
  if (!whole) return book.brief.get(frame).all ? 0 : null;
  const bar = whole.bars.find((b) => b.key === key);
  return bar ? bar.value : 0;
}
