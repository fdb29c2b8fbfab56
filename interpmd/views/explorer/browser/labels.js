// Names of the atoms in the molecule, each where it covers no other, the chosen one set apart.

// more names than this would hide the molecule: only those of the chosen atom, of its images and of
// the atoms of a marked interaction are written
const NAMED = 40;
// pixels: height of a name; and where beside its atom a name may stand
const LINE = 15;
const ON_ATOM = [[0, 0], [0, -17], [0, 17], [1, 0], [-1, 0]];
const BESIDE = [[1, 0], [-1, 0], [0, -17], [0, 17]];

class Labels {
  constructor(geometry) {
    this.geometry = geometry;
    const { names } = geometry.scene;
    this.node = make("div", { class: "im-names", "aria-hidden": "true" });
    this.spans = names.map((name) => make("span", {}, name));
    this.ghosts = [];
    this.node.append(...this.spans);
    this.few = names.length <= NAMED;
    this.wanted = [];
    this.widths = new Map();
  }

  // in pixels; measured once for each name
  width(span) {
    const key = `${span.className} ${span.textContent}`;
    if (!this.widths.has(key)) {
      span.hidden = false;
      if (!span.offsetWidth) return 8 * span.textContent.length; // not in the page yet
      this.widths.set(key, span.offsetWidth + 2);
    }
    return this.widths.get(key);
  }

  // which names are written: the chosen atom first, then atoms of the lines, then the others
  show(viewer, state, spheres) {
    const asked = state.target !== "energy" && state.target !== "torque";
    const chosen = asked ? state.atom : -1;
    const others = this.few ? [...this.spans.keys()] : [];
    const atoms = [...new Set([chosen, ...others])].filter((i) => i >= 0);
    this.spans.forEach((span, i) => {
      span.className = i === chosen ? "im-chosen" : "";
      if (!atoms.includes(i)) span.hidden = true;
    });
    const named = spheres.ghosts.map((ghost, n) => [ghost, this.geometry.count + n])
      .filter(([ghost]) => ghost.name);
    while (this.ghosts.length < named.length) {
      this.ghosts.push(make("span", { class: "im-ghost" }));
      this.node.append(this.ghosts.at(-1));
    }
    this.ghosts.forEach((span, n) => {
      if (n < named.length) write(span, named[n][0].name);
      else span.hidden = true;
    });
    this.position = spheres.position;
    this.wanted = [...atoms.slice(0, 1).map((i) => [this.spans[i], i]),
      ...named.map(([, sphere], n) => [this.ghosts[n], sphere, BESIDE]),
      ...atoms.slice(1).map((i) => [this.spans[i], i])];
    this.place(viewer);
  }

  place(viewer) {
    if (!viewer || !this.position) return;
    const p = this.position;
    const taken = [];
    const room = this.node.clientWidth;
    for (const [span, i, sides = ON_ATOM] of this.wanted) {
      const [x, y] = viewer.project([p[3 * i], p[3 * i + 1], p[3 * i + 2]]);
      const width = this.width(span);
      const spot = sides.map(([across, down]) => [x + across * (width / 2 + 10), y + down])
        .find(([a, b]) => a > width / 2 && a < room - width / 2 && !taken.some((t) => Math.abs(t.x - a) < (t.width + width) / 2
          && Math.abs(t.y - b) < LINE));
      span.hidden = !spot;
      if (!spot) continue;
      taken.push({ x: spot[0], y: spot[1], width });
      span.style.transform =
        `translate(${Math.round(spot[0])}px, ${Math.round(spot[1])}px) translate(-50%, -50%)`;
    }
  }
}
