// The choices above the molecule.

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
      method: this.select("method", scene.methods.map((m) => [m.name, m.name])),
      order: this.select("up to", [[2, "pairs"], [3, "triplets"], [4, "4 atoms"], [5, "5 atoms"],
        ["", "all orders"]]),
      unit: this.select("unit", Object.keys(UNITS).map((name) => [name, name])),
      shown: this.select("show", [[6, "6 in 3D"], [12, "12 in 3D"], [30, "30 in 3D"],
        [500, "all in 3D"], [0, "none in 3D"]]),
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
    this.explorer.change({
      target: read("target"), atom: number("atom"), other: number("other"),
      dihedral: read("dihedral") ? read("dihedral").split(",").map(Number) : null,
      grouping: read("grouping"), method: read("method"), order: number("order"),
      unit: read("unit"), shown: number("shown"),
    });
  }

  update(state) {
    const shown = JSON.stringify(Object.keys(this.fields).map((name) => state[name]));
    if (shown === this.shown) return;
    this.shown = shown;
    for (const [name, { box, node }] of Object.entries(this.fields)) {
      const value = state[name];
      const text = Array.isArray(value) ? value.join(",") : value === null ? "" : String(value);
      if (name === "shown" && ![...box.options].some((option) => option.value === text))
        box.append(make("option", { value: text }, `${text} in 3D`));
      box.value = text;
      node.hidden = (name === "other" && state.target !== "along")
        || (name === "dihedral" && state.target !== "torque")
        || (name === "atom" && ["energy", "torque"].includes(state.target))
        || (!this.explorer.source.live && !this.explorer.source.offers(name));
    }
    const method = this.explorer.scene.methods.find((m) => m.name === state.method);
    if (method) this.fields.method.node.title =
      `${method.name}: ${method.computes}. Guarantees: ${method.guarantees || "none"}.`;
  }
}
