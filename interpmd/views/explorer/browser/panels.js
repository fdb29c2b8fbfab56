// The energy and its parts, all contributions as a table, and what was checked.

class EnergySplit {
  constructor() {
    this.tables = ["term", "order"].map(() => ({ caption: make("caption"), rows: [] }));
    for (const table of this.tables) table.node = make("table", {}, table.caption);
    this.node = make("section", { class: "im-energy", "aria-label": "energy split" },
      make("h4", {}, "Energy of this frame"),
      make("div", { class: "im-split" }, ...this.tables.map((table) => table.node)));
  }

  update(answer, state) {
    // a single part says nothing about how it splits
    this.node.hidden = Object.values(answer.split).every((part) => Object.keys(part).length < 2);
    const largest = Math.max(...Object.values(answer.split).flatMap((part) =>
      Object.values(part).map(Math.abs)), 1e-12);
    ["term", "order"].forEach((by, n) => {
      const table = this.tables[n];
      write(table.caption, `${by === "term" ? "by term" : "by body order"} (${state.unit})`);
      const parts = Object.entries(answer.split[by]);
      table.node.hidden = parts.length < 2;
      while (table.rows.length > parts.length) table.rows.pop().node.remove();
      parts.forEach(([name, value], r) => {
        const row = table.rows[r] || this.newRow(table);
        write(row.name, name);
        write(row.value, signed(value, UNITS[state.unit]));
        row.bar.className = value < 0 ? "im-mini im-minus" : "im-mini im-plus";
        row.bar.style.width = `${((60 * Math.abs(value)) / largest).toFixed(1)}px`;
      });
    });
  }

  newRow(table) {
    const row = { name: make("th", { scope: "row" }), value: make("td"), bar: make("span") };
    row.node = make("tr", {}, row.name, row.value, make("td", { "aria-hidden": "true" }, row.bar));
    table.rows.push(row);
    table.node.append(row.node);
    return row;
  }
}

// every row with its number, whatever the bars show; and the same as sets of atoms
class Table {
  constructor(explorer, split) {
    this.explorer = explorer;
    this.split = split;
    this.body = make("tbody");
    this.unit = make("th", { scope: "col" });
    this.spread = make("th", { scope: "col" });
    this.words = make("p", { class: "im-how" });
    this.raw = make("button", { type: "button", class: "im-raw",
      onclick: () => explorer.change({ gauge: "atoms", method: null, order: "auto" }) },
    "show it as rows of sets of atoms");
    this.node = make("section", { class: "im-table", "aria-label": "all rows" }, this.words, this.raw,
      make("div", { class: "im-split" }, make("div", { class: "im-scroll", tabindex: 0,
        role: "region", "aria-label": "all rows" },
      make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "row"),
        this.unit, this.spread)), this.body)), split.node));
  }

  update(answer, state) {
    if (this.node.hidden) return;
    const { scene, source } = this.explorer;
    const count = answer.bars.length;
    write(this.words, `${count} row${count === 1 ? "" : "s"} in the gauge ${answer.gauge}: absent `
      + `means that ${answer.absent}. Their sum is the ${sumName(answer)}.`);
    this.raw.hidden = !source.live || answer.gauge === "atoms"
      || !scene.gauges.some((gauge) => gauge.name === "atoms");
    const factor = UNITS[state.unit];
    this.unit.textContent = unitName(answer.unit, state.unit);
    write(this.spread, answer.total_std ? "±" : "");
    const line = (label, value, std, kind = "") => make("tr", { class: kind },
      make("th", { scope: "row" }, label), make("td", {}, signed(value, factor)),
      make("td", {}, std ? doubt(std * factor) : ""));
    this.body.replaceChildren(...answer.bars.map((bar) => line(bar.label, bar.value, bar.std)),
      line("sum", answer.total, answer.total_std, "im-sum"),
      line("the model itself", answer.predicted, null, "im-sum"));
    this.split.update(answer, state);
  }
}

class Checks {
  constructor() {
    this.list = make("ul");
    this.words = make("p");
    this.node = make("section", { class: "im-checks", "aria-label": "what is fact, what is convention" },
      this.words, this.list);
  }

  update(answer) {
    write(this.words, answer.statement);
    const shown = answer.checks.join("\n");
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(...answer.checks.map((check) => make("li", {}, check)));
  }
}
