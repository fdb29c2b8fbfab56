// Time line, energy split, table: the same numbers in other forms.

class TimeLine {
  constructor(explorer) {
    this.explorer = explorer;
    this.svg = make("svg", { class: "im-time", role: "img", viewBox: "0 0 600 150",
      preserveAspectRatio: "none", onclick: (event) => this.jump(event) });
    this.keys = make("p", { class: "im-series" });
    this.unit = make("span", { class: "im-unit" });
    this.status = make("span", { class: "im-status", role: "status" });
    this.all = make("button", { type: "button", class: "im-all",
      onclick: () => explorer.explainAll() }, "explain all frames");
    this.ends = make("p", { class: "im-ends" });
    this.node = make("section", { class: "im-timeline", "aria-label": "time line" },
      make("div", { class: "im-head" }, make("h4", {}, "Over time"), this.unit, this.status,
        this.all), this.svg, this.ends, this.keys);
  }

  chosen(state, answer) {
    const known = (key) => answer.bars.some((bar) => bar.key === key);
    const pinned = state.pinned.filter(known);
    return pinned.length ? pinned : answer.bars.slice(0, 3).map((bar) => bar.key);
  }

  update(answers, answer, state, frames) {
    const chosen = this.chosen(state, answer);
    const signature = `${answer.key} ${answers.size} ${chosen} ${state.unit}`;
    if (signature !== this.signature) {
      this.signature = signature;
      this.lines(answers, answer, chosen, state, frames);
    }
    const x = (600 * answer.frame) / Math.max(1, frames - 1);
    this.cursor.setAttribute("x1", x);
    this.cursor.setAttribute("x2", x);
  }

  lines(answers, answer, chosen, state, frames) {
    const frameList = [...answers.keys()].sort((a, b) => a - b);
    const series = chosen.map((key) => ({ key, values: frameList.map((frame) => {
      const bar = answers.get(frame).bars.find((b) => b.key === key);
      return bar ? bar.value : 0;
    }) }));
    series.push({ key: "=", values: frameList.map((frame) => answers.get(frame).total) });
    const every = series.flatMap((s) => s.values);
    const low = Math.min(0, ...every), high = Math.max(0, ...every);
    const y = (value) => 145 - (140 * (value - low)) / (high - low || 1);
    const x = (frame) => (600 * frame) / Math.max(1, frames - 1);
    this.svg.replaceChildren(make("line", { class: "im-axis", x1: 0, x2: 600, y1: y(0), y2: y(0) }));
    this.keys.replaceChildren();
    series.forEach(({ key, values }, n) => {
      const sum = key === "=";
      const [colour, dash] = sum ? ["#000", ""] : SERIES[n % SERIES.length];
      const path = frameList.map((frame, i) =>
        `${i && frame === frameList[i - 1] + 1 ? "L" : "M"}${x(frame)} ${y(values[i])}`).join("");
      const style = { stroke: colour, "stroke-dasharray": dash || null, class: sum ? "im-total" : "" };
      this.svg.append(make("path", { d: path, ...style }));
      if (frameList.length < 60)
        frameList.forEach((frame, i) => this.svg.append(
          make("line", { x1: x(frame), x2: x(frame) + 0.01, y1: y(values[i]), y2: y(values[i]),
            stroke: colour, class: "im-dot" })));
      const bar = answer.bars.find((b) => b.key === key);
      const sample = make("svg", { width: 30, height: 8, "aria-hidden": "true" },
        make("line", { x1: 0, x2: 30, y1: 4, y2: 4, ...style }));
      this.keys.append(make("span", {}, sample, ` ${sum ? "sum" : bar.label} `));
    });
    this.cursor = make("line", { class: "im-now", y1: 0, y2: 150 });
    this.svg.append(this.cursor);
    const factor = UNITS[state.unit];
    this.unit.textContent = `${signed(low, factor)} to ${signed(high, factor)} `
      + unitName(answer.unit, state.unit);
    const { times, timed } = this.explorer.scene;
    const name = (frame) => timed ? `${+times[frame].toFixed(1)} fs` : `frame ${frame}`;
    this.ends.replaceChildren(make("span", {}, name(0)), make("span", {}, name(frames - 1)));
    this.svg.setAttribute("aria-label",
      `${chosen.length} contributions and their sum at ${frameList.length} of ${frames} frames`);
    const waiting = frameList.length < Math.min(3, frames);
    if (waiting || this.status.textContent.startsWith("frames"))
      this.status.textContent = waiting ? "frames fill in as they are looked at" : "";
    this.all.hidden = frameList.length >= frames || !this.explorer.source.live;
    this.node.hidden = frames < 2;
  }

  jump(event) {
    const box = this.svg.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    this.explorer.show(Math.round(part * (this.explorer.geometry.frames - 1)));
  }
}

class EnergySplit {
  constructor() {
    this.body = make("div", { class: "im-split" });
    this.node = make("section", { class: "im-energy", "aria-label": "energy split" },
      make("h4", {}, "Energy of this frame"), this.body);
  }

  update(answer, state) {
    const factor = UNITS[state.unit];
    const largest = Math.max(...Object.values(answer.split).flatMap((part) =>
      Object.values(part).map(Math.abs)), 1e-12);
    this.body.replaceChildren(...["term", "order"].map((by) =>
      make("table", {},
        make("caption", {}, by === "term" ? `by term (${state.unit})` : `by body order (${state.unit})`),
        ...Object.entries(answer.split[by]).map(([name, value]) => {
          const bar = make("span", { class: value < 0 ? "im-mini im-minus" : "im-mini im-plus",
            style: `width:${(60 * Math.abs(value)) / largest}px` });
          return make("tr", {}, make("th", { scope: "row" }, name),
            make("td", {}, signed(value, factor)), make("td", { "aria-hidden": "true" }, bar));
        }))));
  }
}

class Table {
  constructor() {
    this.body = make("tbody");
    this.unit = make("th", { scope: "col" });
    this.node = make("details", { class: "im-table" },
      make("summary", {}, "All contributions as a table"),
      make("div", { class: "im-scroll", tabindex: 0, role: "region",
        "aria-label": "all contributions" },
      make("table", {}, make("thead", {}, make("tr", {},
        make("th", { scope: "col" }, "contribution"), this.unit)), this.body)));
    this.node.addEventListener("toggle", () => this.answer && this.update(this.answer, this.state));
  }

  update(answer, state) {
    this.answer = answer;
    this.state = state;
    if (!this.node.open) return;
    this.unit.textContent = unitName(answer.unit, state.unit);
    const line = (label, value, kind = "") => make("tr", { class: kind },
      make("th", { scope: "row" }, label), make("td", {}, signed(value, UNITS[state.unit])));
    this.body.replaceChildren(...answer.bars.map((bar) => line(bar.label, bar.value)),
      line("sum", answer.total, "im-sum"), line("by the model itself", answer.predicted, "im-sum"));
  }
}

class Checks {
  constructor() {
    this.list = make("ul");
    this.words = make("p");
    this.node = make("details", { class: "im-checks" },
      make("summary", {}, "What is fact, what is convention"), this.words, this.list);
  }

  update(answer) {
    this.words.textContent = answer.statement;
    this.list.replaceChildren(...answer.checks.map((check) => make("li", {}, check)));
  }
}
