// Names of the atoms beside the molecule, the chosen one set apart.

// more names than this hide the molecule; then only the chosen atom has one
const NAMED = 40;

class Labels {
  constructor(geometry) {
    this.geometry = geometry;
    const { names } = geometry.scene;
    this.node = make("div", { class: "im-names", "aria-hidden": "true" });
    this.spans = names.map((name) => make("span", {}, name));
    this.node.append(...this.spans);
    this.few = names.length <= NAMED;
  }

  place(viewer, state) {
    if (!viewer) return;
    const p = this.geometry.points(state.frame);
    const asked = state.target !== "energy" && state.target !== "torque";
    this.spans.forEach((span, i) => {
      const chosen = asked && i === state.atom;
      span.hidden = !this.few && !chosen;
      if (span.hidden) return;
      span.className = chosen ? "im-chosen" : "";
      const [x, y] = viewer.project([p[3 * i], p[3 * i + 1], p[3 * i + 2]]);
      span.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px) translate(-50%, -50%)`;
    });
  }
}
