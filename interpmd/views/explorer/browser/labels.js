// Names of the atoms beside the molecule, the chosen one set apart.

// more names than this would hide the molecule, so that only the chosen atom is named
const NAMED = 40;

class Labels {
  constructor(geometry) {
    this.geometry = geometry;
    const { names } = geometry.scene;
    this.node = make("div", { class: "im-names", "aria-hidden": "true" });
    this.spans = names.map((name) => make("span", {}, name));
    this.node.append(...this.spans);
    this.few = names.length <= NAMED;
    if (!this.few) for (const span of this.spans) span.hidden = true;
    this.chosen = -1;
  }

  choose(atom) {
    if (atom === this.chosen) return;
    for (const [i, on] of [[this.chosen, false], [atom, true]]) {
      if (i < 0) continue;
      this.spans[i].className = on ? "im-chosen" : "";
      this.spans[i].hidden = !this.few && !on;
    }
    this.chosen = atom;
  }

  place(viewer, state) {
    if (!viewer) return;
    const p = this.geometry.points(state.frame);
    const asked = state.target !== "energy" && state.target !== "torque";
    this.choose(asked ? state.atom : -1);
    const drawn = this.few ? this.spans.keys() : asked ? [state.atom] : [];
    for (const i of drawn) {
      const [x, y] = viewer.project([p[3 * i], p[3 * i + 1], p[3 * i + 2]]);
      this.spans[i].style.transform =
        `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -50%)`;
    }
  }
}
