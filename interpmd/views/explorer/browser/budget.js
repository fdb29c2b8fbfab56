// The force budget: bars, each starting where the last one ended, that add up to the target.

// listed where none are drawn
const BARS = 5;

class Budget {
  constructor(explorer) {
    this.explorer = explorer;
    this.headline = make("h3", { class: "im-headline" });
    this.badge = make("button", { class: "im-badge", type: "button",
      onclick: () => explorer.showChecks() });
    this.badge.title = "what was checked";
    this.answer = make("p", { class: "im-answer", "aria-live": "polite" });
    this.now = make("p", { class: "im-now-words" });
    this.grade = make("p", { class: "im-grade" });
    this.more = make("button", { type: "button", class: "im-more", hidden: true,
      onclick: () => explorer.openOthers() });
    this.summary = make("p", { class: "im-summary", "aria-live": "polite" });
    this.list = make("ul", { class: "im-bars", role: "listbox", tabindex: 0,
      "aria-label": "contributions; arrow keys highlight them in the molecule, Enter adds one to "
        + "the time line",
      onkeydown: (event) => this.key(event), onmouseleave: () => explorer.hover(null) });
    this.unit = make("div", { class: "im-column" });
    this.legend = make("p", { class: "im-legend" });
    this.legend.innerHTML =
      '<span class="im-swatch im-along"></span> solid blue: adds (+) '
      + '<span class="im-swatch im-against"></span> dashed orange: takes away (−). '
      + "Each bar starts where the last one ended; the black one is their sum. "
      + "±: one standard deviation, for what the data leave open.";
    this.rest = make("p", { class: "im-legend", hidden: true });
    this.node = make("section", { class: "im-budget", "aria-label": "budget" },
      make("div", { class: "im-head" }, this.headline, this.badge), this.answer, this.now, this.summary,
      this.unit, this.list, this.more, this.grade, this.legend, this.rest);
    this.rows = [];
    this.keys = [];
  }

  update(answer, state, marks) {
    const factor = UNITS[state.unit];
    const unit = unitName(answer.unit, state.unit);
    write(this.headline, answer.title);
    write(this.badge, `${answer.badge === "NOT EXACT" ? "✗" : "✓"} ${answer.verdict}`);
    this.badge.dataset.badge = answer.badge;
    this.badge.dataset.determined = answer.determined;
    write(this.answer, unbroken(answer.headline));
    this.now.hidden = answer.now === answer.headline;
    write(this.now, unbroken(`In this frame, ${answer.now}.`));
    this.grade.hidden = answer.grade === null;
    if (answer.grade !== null) write(this.grade, gradeWords(answer.grade));
    write(this.summary, summary(answer, factor, unit));
    write(this.unit, unit);
    this.rest.hidden = !answer.bars.some(isRest);
    if (!this.rest.hidden) write(this.rest, restWords(state));
    const listed = state.opened ? answer.bars.length : state.shown || BARS;
    // a bar of the others for a single one would say less than that one itself
    const count = answer.bars.length === listed + 1 ? listed + 1 : listed;
    const bars = answer.bars.slice(0, count);
    const rest = answer.bars.slice(count);
    this.more.hidden = !rest.length && !state.opened;
    this.list.classList.toggle("im-open", count > BARS);
    write(this.more, state.opened ? "fewer" : `open the ${rest.length} others`);
    if (rest.length)
      bars.push({ key: "", label: `${rest.length} other${rest.length === 1 ? "" : "s"}`,
        value: rest.reduce((sum, bar) => sum + bar.value, 0), std: answer.rest_stds[count - 1] });
    bars.push({ key: "=", label: "sum = " + sumName(answer), value: answer.total, std: answer.total_std });
    const [low, high] = extent(bars);
    this.keys = bars.map((bar) => bar.key);
    let start = 0;
    bars.forEach((bar, n) => {
      const row = this.rows[n] || this.newRow(n);
      const from = bar.key === "=" ? 0 : start;
      const to = bar.key === "=" ? answer.total : start + bar.value;
      start = to;
      this.fill(row, bar, from, to, low, high, factor, state);
    });
    while (this.rows.length > bars.length) this.rows.pop().node.remove();
    this.highlight(marks);
  }

  newRow(n) {
    const label = make("span", { class: "im-label" });
    const box = make("span", { class: "im-fill" });
    const zero = make("span", { class: "im-zero" });
    const value = make("span", { class: "im-value" });
    const node = make("li", { role: "option", id: `${this.explorer.id}-bar${n}`,
      onmouseenter: () => this.explorer.hover(this.keys[n]),
      onclick: () => this.keys[n] ? this.explorer.pin(this.keys[n]) : this.explorer.openOthers() },
    label, make("span", { class: "im-track", "aria-hidden": "true" }, zero, box), value);
    this.list.append(node);
    return (this.rows[n] = { node, label, box, zero, value });
  }

  fill(row, bar, from, to, low, high, factor, state) {
    const at = (x) => (100 * (x - low)) / (high - low || 1);
    const kind = bar.key === "=" ? "im-sum" : bar.value < 0 ? "im-minus" : "im-plus";
    const pinned = state.pinned.includes(bar.key) ? " im-pinned" : "";
    const hovered = row.node.classList.contains("im-hovered") ? " im-hovered" : "";
    if (row.node.className !== kind + pinned + hovered) row.node.className = kind + pinned + hovered;
    if (row.node.dataset.key !== bar.key) row.node.dataset.key = bar.key;
    write(row.label, breakable(bar.label));
    if (row.label.title !== bar.label) row.label.title = bar.label;
    const spread = bar.std * factor >= 1e-4 ? ` ±${doubt(bar.std * factor)}` : "";
    write(row.value, signed(bar.value, factor) + spread);
    row.box.style.left = `${at(Math.min(from, to)).toFixed(2)}%`;
    row.box.style.width = `${Math.max(0.4, Math.abs(at(to) - at(from))).toFixed(2)}%`;
    row.zero.style.left = `${at(0).toFixed(2)}%`;
  }

  highlight(marks) {
    let active = "";
    // contributions without a bar of their own are in the bar of the others
    const others = [...marks.keys].some((key) => !this.keys.includes(key));
    this.rows.forEach((row, n) => {
      const marked = this.keys[n] === "" ? others : marks.keys.has(this.keys[n]);
      if (marked) active ||= row.node.id;
      if (marked === row.marked) return;
      row.marked = marked;
      row.node.setAttribute("aria-selected", marked);
      row.node.classList.toggle("im-hovered", marked);
    });
    this.list.setAttribute("aria-activedescendant", active);
  }

  key(event) {
    const { hovered } = this.explorer.state;
    const choices = this.keys.filter((key) => key && key !== "=");
    const now = choices.indexOf(hovered);
    const next = { ArrowDown: now + 1, ArrowUp: now < 0 ? choices.length - 1 : now - 1, Home: 0,
      End: choices.length - 1 }[event.key];
    if (next !== undefined) this.explorer.hover(choices[(next + choices.length) % choices.length]);
    else if (event.key === "Escape") this.explorer.hover(null);
    else if ((event.key === "Enter" || event.key === " ") && hovered) this.explorer.pin(hovered);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function summary(answer, factor, unit) {
  const size = `${signed(answer.total, factor)} ${unit}`;
  const count = answer.bars.length;
  const alone = { groups: "Groups by themselves", molecules: "Molecules by themselves" }[answer.gauge]
    || "Isolated atoms";
  const apart = answer.apart
    ? ` ${alone} (${signed(answer.apart, factor)} ${unit}) are not drawn.` : "";
  const bars = count === 1 ? "1 contribution makes" : `${count} contributions add up to`;
  const gauge = ` Gauge ${answer.gauge}: absent means that ${answer.absent}.`;
  if (!answer.target_atoms.length) return `${bars} ${size}.${apart}${gauge}`;
  const way = answer.title.includes("towards") ? "in that direction" : "in the force's direction";
  return `${bars} ${size}, counted ${way}.${gauge}`;
}

function gradeWords(grade) {
  const where = grade <= 1 ? "inside the training data" : "beyond the training data: do not trust it";
  return `Largest extrapolation grade ${grade < 10 ? grade.toFixed(2) : grade.toFixed(0)}, ${where} `
    + "(1 is their edge).";
}

// what has no finite body order, or a higher one than was asked for
function isRest(bar) {
  return bar.label.startsWith("rest at");
}

function restWords({ order }) {
  const what = { 2: "three atoms and more", 3: "four atoms and more", 4: "five atoms and more" }[order]
    || "all atoms at once";
  return `“rest at”: what ${what} do together around an atom. A larger “up to” splits it up.`;
}

function sumName(answer) {
  if (answer.apart) return "interaction energy";
  return answer.title.split(" ")[0].toLowerCase();
}

function extent(bars) {
  let low = 0, high = 0, start = 0;
  for (const bar of bars) {
    if (bar.key === "=") continue;
    start += bar.value;
    low = Math.min(low, start);
    high = Math.max(high, start);
  }
  return [low, high];
}
