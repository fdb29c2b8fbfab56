// Two answers side by side: the same rows, bars on one scale, what differs, and both sums.

class ComparisonPanel {
  constructor(explorer) {
    this.explorer = explorer;
    this.known = new Map();
    this.asked = new Set();
    this.box = make("select", { class: "im-beside-choice" });
    this.box.addEventListener("change", () =>
      explorer.change({ beside: this.box.value || null }));
    this.choice = make("label", {}, "put beside it: ", this.box);
    this.headline = make("p", { class: "im-answer", "aria-live": "polite" });
    this.note = make("p", { class: "im-how" });
    this.table = make("div", { class: "im-both-sides", role: "table", "aria-label": "side by side" });
    this.node = make("section", { class: "im-beside", "aria-label": "side by side" },
      this.choice, this.headline, this.table, this.note);
    this.fill();
  }

  // what there is to put beside
  fill() {
    const { scene, source, state } = this.explorer;
    const group = (title, options) => options.length
      && make("optgroup", { label: title }, ...options.map(([value, text]) =>
        make("option", { value }, text)));
    const named = (kind, names) => names.map((name) => [`${kind} ${name}`, `${kind} ${name}`]);
    const offered = source.live ? [
      make("option", { value: "" }, "nothing"),
      scene.times.length > 1 && group("another frame",
        scene.times.map((_, n) => [`frame ${n}`, `frame ${n}`])),
      group("another model", named("model", scene.models)),
      group("another gauge", named("gauge", scene.gauges.map((g) => g.name))),
      group("another method", named("method", scene.methods.map((m) => m.name))),
    ] : [make("option", { value: state.beside || "" }, state.beside || "nothing")];
    this.box.append(...offered.filter(Boolean));
    this.box.disabled = !source.live;
  }

  mark() {
    const { asking, state } = this.explorer;
    return `${asking.key()} ${state.frame} ${state.beside}`;
  }

  learn(mark, content) {
    this.asked.delete(mark);
    this.known.set(mark, content);
    if (this.known.size > 400) this.known.delete(this.known.keys().next().value);
    if (mark === this.mark()) this.explorer.draw();
  }

  update(state) {
    this.box.value = state.beside || "";
    if (this.node.hidden) return;
    const mark = this.mark();
    const found = state.beside ? this.known.get(mark) : null;
    this.table.hidden = this.note.hidden = !found || Boolean(found.trouble);
    if (!state.beside) write(this.headline, "Choose a frame, a model, a gauge or a method.");
    else if (!found) {
      write(this.headline, "computing…");
      if (!this.asked.size) {
        this.asked.add(mark);
        this.explorer.source.compare(this, state, mark);
      }
    } else if (found.trouble) write(this.headline, found.trouble);
    else this.draw(found, state);
  }

  draw(found, state) {
    const factor = UNITS[state.unit];
    const unit = unitName(found.unit, state.unit);
    write(this.headline, found.headline);
    write(this.note, (found.same_rows ? "The same rows on both sides, on one scale. "
      : "Rows of the same atoms stand in one line; the two sides do not mean the same by a row. ")
      + "Both sides count along the direction of the first. Difference: first less second. "
      + `First: ${found.verdicts[0]}. Second: ${found.verdicts[1]}.`);
    const listed = state.opened ? found.pairs.length : Math.min(state.shown || BARS, found.pairs.length);
    const count = found.pairs.length === listed + 1 ? listed + 1 : listed;
    const pairs = found.pairs.slice(0, count);
    const rest = found.pairs.slice(count);
    const sum = (side) => rest.reduce((s, pair) => s + (pair[side] || 0), 0);
    if (rest.length) pairs.push({ key: "", label: `${rest.length} others`, first: sum("first"),
      second: sum("second"), first_std: null, second_std: null });
    pairs.push({ key: "=", label: "sum", first: found.total[0], second: found.total[1],
      first_std: found.total_std[0], second_std: found.total_std[1] });
    const values = pairs.flatMap((pair) => [pair.first || 0, pair.second || 0]);
    const low = Math.min(0, ...values), high = Math.max(0, ...values);
    const head = make("div", { role: "row", class: "im-side-head" },
      ...["", `${found.names[0]} (${unit})`, `${found.names[1]} (${unit})`, "difference"].map((text) =>
        make("span", { role: "columnheader", title: text }, text)));
    this.table.replaceChildren(head, ...pairs.map((pair) => this.row(pair, low, high, factor)));
  }

  row(pair, low, high, factor) {
    const kind = pair.key === "=" ? "im-side-row im-sum" : "im-side-row";
    const name = make("span", { role: "rowheader", class: "im-label", title: pair.label }, breakable(pair.label));
    const gap = signed((pair.first || 0) - (pair.second || 0), factor);
    return make("div", { role: "row", class: kind,
      onmouseenter: () => pair.key && this.explorer.hover(pair.key),
      onmouseleave: () => this.explorer.hover(null),
      onclick: () => pair.key === "" && this.explorer.openOthers() },
    name, this.side(pair.first, pair.first_std, low, high, factor, pair.key),
    this.side(pair.second, pair.second_std, low, high, factor, pair.key),
    make("span", { role: "cell", class: "im-value" }, gap));
  }

  side(value, std, low, high, factor, key) {
    const at = (x) => (100 * (x - low)) / (high - low || 1);
    const known = value !== null && value !== undefined;
    const zero = make("span", { class: "im-zero", style: `left:${at(0).toFixed(2)}%` });
    const fill = known && make("span", { class: "im-fill", style:
      `left:${at(Math.min(0, value)).toFixed(2)}%;width:${Math.abs(at(value) - at(0)).toFixed(2)}%` });
    const kind = key === "=" ? "" : value < 0 ? "im-minus" : "im-plus";
    return make("span", { role: "cell", class: `im-side ${kind}` },
      make("span", { class: "im-track", "aria-hidden": "true" }, zero, fill || null),
      make("span", { class: "im-value" }, known
        ? signed(value, factor) + (std * factor >= 1e-4 ? ` ±${doubt(std * factor)}` : "") : "no such row"));
  }
}
