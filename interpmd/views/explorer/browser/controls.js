// The choices above the molecule.

// groupings by what coordinates do not have
const OF_PLAYERS = ["order", "term"];

class Controls {
  constructor(explorer) {
    this.explorer = explorer;
    const { scene } = explorer;
    const atoms = scene.names.map((name, i) => [i, name]);
    this.fields = {
      target: this.select("explain", scene.targets),
      atom: this.select("atom", atoms),
      other: this.select("towards", atoms),
      dihedral: this.select("bond", scene.dihedrals.map((d) =>
        [d.join(","), d.map((a) => scene.names[a]).join("–")])),
      grouping: this.select("group by", scene.groupings),
      gauge: this.select("gauge", [["", "as suits"], ...scene.gauges.map((g) => [g.name, g.name])]),
      method: this.select("method", [["", "as suits"], ...scene.methods.map((m) => [m.name, m.name])]),
      order: this.select("up to", [["auto", "as suits"], [2, "pairs"], [3, "triplets"],
        [4, "4 players"], [5, "5 players"], ["", "all orders"]]),
      reference: this.select("difference from", [["", "nothing"], ...scene.times.map((_, n) => [n, `frame ${n}`])]),
      unit: this.select("unit", Object.keys(UNITS).map((name) => [name, name])),
      shown: this.select("show", [[3, "3 largest"], [5, "5 largest"], [12, "12 largest"],
        [30, "30 largest"], [500, "all"], [0, "none in 3D"]]),
    };
    this.node = make("form", { class: "im-controls", "aria-label": "what is shown",
      onsubmit: (event) => event.preventDefault() },
    ...Object.values(this.fields).map((field) => field.node));
  }

  select(label, options) {
    const box = make("select", {}, ...options.map(([value, text]) =>
      make("option", { value }, text)));
    const field = { box, node: make("label", {}, make("span", {}, label), box) };
    box.addEventListener("change", () => this.changed());
    return field;
  }

  changed() {
    this.shown = null; // so that a choice that is not possible is taken back
    const read = (name) => this.fields[name].box.value;
    const number = (name) => (read(name) === "" ? null : Number(read(name)));
    const { state } = this.explorer;
    const order = read("order") === "auto" ? "auto" : number("order");
    let gauge = read("gauge") || null, method = read("method") || null;
    // a method or an order is chosen for the gauge that is shown, another gauge has its own
    if (gauge === state.gauge && (method !== state.method || order !== state.order))
      gauge = gauge || (method || order !== "auto" ? this.gauge(state) : null);
    const fresh = { ...state, gauge, method, order, target: read("target") };
    const refused = !this.gauges(fresh.target).some((g) => g.name === gauge);
    if (gauge && refused) fresh.gauge = gauge = null;
    const own = this.gauge({ ...fresh, method: null, order: "auto" });
    const other = own !== this.gauge(state);
    if (other || !this.suits(method, own)) method = null;
    this.explorer.change({
      target: read("target"), atom: number("atom"), other: number("other"),
      dihedral: read("dihedral") ? read("dihedral").split(",").map(Number) : null,
      grouping: own === "internal" && OF_PLAYERS.includes(read("grouping")) ? "interaction"
        : read("grouping"),
      gauge, method, order: other ? "auto" : order, reference: number("reference"),
      unit: read("unit"), shown: number("shown"),
    });
  }

  // the gauge of a question, by the rule of Python
  gauge({ gauge, method, order, target }) {
    const { scene } = this.explorer;
    if (gauge) return gauge;
    const known = scene.methods.find((m) => m.name === method);
    if (known && !known.gauges.includes("atoms")) return known.gauges[0];
    return known || order !== "auto" ? "atoms" : scene.suited[target];
  }

  // coordinates carry forces, no energies
  gauges(target) {
    return this.explorer.scene.gauges.filter((g) => target !== "energy" || g.name !== "internal");
  }

  suits(method, gauge) {
    const known = this.explorer.scene.methods.find((m) => m.name === method);
    return !known || known.gauges.includes(gauge);
  }

  update(state) {
    const shown = JSON.stringify(Object.keys(this.fields).map((name) => state[name]));
    if (shown === this.shown) return;
    this.shown = shown;
    for (const [name, { box, node }] of Object.entries(this.fields)) {
      const value = state[name];
      const text = Array.isArray(value) ? value.join(",") : value === null ? "" : String(value);
      if (name === "shown" && ![...box.options].some((option) => option.value === text))
        box.append(make("option", { value: text }, `${text} largest`));
      box.value = text;
      node.hidden = (name === "other" && state.target !== "along")
        || (name === "dihedral" && state.target !== "torque")
        || (name === "atom" && ["energy", "torque"].includes(state.target))
        || (name === "reference" && this.explorer.geometry.frames < 2)
        || (!this.explorer.source.live && !this.explorer.source.offers(name));
    }
    this.offer(state);
    const method = this.explorer.scene.methods.find((m) => m.name === state.method);
    if (method) this.fields.method.node.title =
      `${method.name}: ${method.computes}. Guarantees: ${method.guarantees || "none"}.`;
  }

  // only what goes together
  offer(state) {
    const { scene, source } = this.explorer;
    const gauge = this.gauge(state);
    const offer = (name, can) => {
      for (const option of this.fields[name].box.options)
        option.hidden = option.disabled = option.value !== "" && !can(option.value);
    };
    offer("gauge", (name) => this.gauges(state.target).some((g) => g.name === name));
    offer("method", (name) => this.suits(name, gauge));
    offer("grouping", (name) => gauge !== "internal" || !OF_PLAYERS.includes(name));
    this.fields.order.node.hidden ||= gauge === "internal";
    write(this.fields.gauge.box.options[0], `as suits: ${scene.suited[state.target]}`);
    const about = scene.gauges.find((g) => g.name === gauge);
    if (about) this.fields.gauge.node.title =
      `${about.name}: rows are ${about.rows}; absent means: ${about.absent}.`;
    if (!source.live) this.fields.gauge.node.hidden = true;
  }
}
