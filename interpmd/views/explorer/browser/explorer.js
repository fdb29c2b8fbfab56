// Puts the parts together, and follows what a person does: one state for all of them.

let explorers = 0;

class Explorer {
  // source: where answers come from; makeViewer: what draws the molecule
  constructor(root, scene, positions, forces, state, source) {
    this.id = `interpmd-${++explorers}-${Math.random().toString(36).slice(2, 7)}`;
    this.root = root;
    this.scene = scene;
    this.geometry = new Geometry(scene, positions);
    this.forces = forces;
    this.state = { hovered: null, pair: null, pinned: [], ...state };
    this.source = source;
    this.asking = new Asking(this, source);
    this.drawing = new Drawing(this);
    this.build();
  }

  build() {
    this.stage = make("div", { class: "im-stage" });
    this.trouble = make("p", { class: "im-trouble", role: "alert", hidden: true });
    this.controls = new Controls(this);
    this.player = new Player(this);
    this.budget = new Budget(this);
    this.timeline = new TimeLine(this);
    this.map = new FrameMap(this);
    this.pairs = new PairPanel(this);
    this.split = new EnergySplit();
    this.table = new Table(this, this.split);
    this.checks = new Checks();
    this.beside = new ComparisonPanel(this);
    this.tabs = new Tabs(this, [["time", "over time", this.timeline.node],
      ["map", "map of frames", this.map.node],
      ["rows", "all rows", this.table.node], ["beside", "side by side", this.beside.node],
      ["pairs", "pairs of atoms", this.pairs.node], ["checks", "fact and convention", this.checks.node]]);
    this.labels = new Labels(this.geometry);
    const view = make("div", { class: "im-view", role: "img", tabindex: 0,
      onkeydown: (event) => this.key(event), onmouseleave: () => this.hover(null) }, this.stage, this.labels.node,
      this.drawing.flag);
    this.view = view;
    this.root.classList.add("interpmd-explorer");
    this.root.append(this.controls.node, this.trouble,
      make("div", { class: "im-main" },
        make("div", { class: "im-left" }, view, this.player.node, this.drawing.note),
        this.budget.node),
      this.tabs.node);
    this.tabs.offer(this.offered());
    if (this.state.beside) this.tabs.open("beside", true);
  }

  // the panels that say something here
  offered() {
    const beside = this.source.live || this.state.beside;
    const { frames } = this.geometry;
    return [frames > 1 && "time", frames > 2 && "map", "rows", beside && "beside", "pairs", "checks"]
      .filter(Boolean);
  }

  async start(makeViewer) {
    const on = { click: (hit) => this.clicked(hit), hover: (hit) => this.pointed(hit),
      turned: () => this.labels.place(this.viewer) };
    try {
      this.viewer = await makeViewer(this.stage, this.geometry, on);
      this.root.dataset.viewer = this.viewer.constructor.name;
    } catch (error) {
      this.stage.replaceChildren();
      this.viewer = new CanvasViewer(this.stage, this.geometry, on);
      this.root.dataset.viewer = "CanvasViewer";
      this.say(`The 3D viewer nglview does not work here (${error.message || error}); a simple `
        + "drawing takes its place. Install nglview in the environment from which Jupyter was "
        + "started and reload the page.");
    }
    this.settle();
    this.show(this.state.frame);
    this.root.dataset.ready = "true";
  }

  say(words) {
    this.trouble.textContent = words;
    this.trouble.hidden = !words;
  }

  // --- what a person does ----------------------------------------------------------------

  show(frame, playing = false) {
    const last = this.geometry.frames - 1;
    this.state.frame = Math.max(0, Math.min(last, frame));
    this.asking.want(this.state.frame);
    this.draw();
    if (!playing) this.settled();
  }

  // tells the kernel once, not at every frame of a film
  settled() {
    this.source.save(this.state);
  }

  change(changes) {
    const before = this.asking.key();
    if (changes.atom !== undefined && changes.atom !== this.state.atom && changes.atom !== null) {
      changes.other = changes.target === "along" && changes.other !== this.state.other
        ? changes.other : null;
      if (changes.target === "torque" && this.state.target === "torque") changes.dihedral = null;
    }
    Object.assign(this.state, changes);
    this.settle();
    if (this.asking.key() !== before) {
      this.state.hovered = this.state.pair = null;
      this.say("");
    }
    this.show(this.state.frame);
  }

  // chooses what is still open: the nearest other atom, or a bond with the atom in it
  settle() {
    const { state, geometry, scene } = this;
    if (state.target === "along" && (state.other === null || state.other === state.atom)) {
      const p = geometry.points(state.frame);
      const far = (i) => [0, 1, 2].reduce((s, d) =>
        s + (p[3 * i + d] - p[3 * state.atom + d]) ** 2, i === state.atom ? 1e9 : 0);
      state.other = scene.names.map((_, i) => i).reduce((a, b) => (far(b) < far(a) ? b : a));
    }
    if (state.target === "torque" && !state.dihedral)
      state.dihedral = scene.dihedrals.find((d) => d.includes(state.atom)) || scene.dihedrals[0]
        || null;
  }

  clicked(hit) {
    if (hit.atom !== undefined) this.choose(hit.atom);
    else if (hit.bar !== undefined && hit.bar >= 0 && this.asking.current())
      this.pin(this.asking.current().bars[hit.bar].key);
  }

  choose(atom) {
    if (this.state.target === "energy" || this.state.target === "torque")
      this.change({ target: "force", atom });
    else this.change({ atom });
  }

  pointed(hit) {
    const answer = this.asking.current();
    const bar = answer && hit.bar >= 0 ? answer.bars[hit.bar] : null;
    this.hover(bar ? bar.key : null);
  }

  hover(key) {
    const chosen = key === "=" || key === "" ? null : key;
    if (chosen === this.state.hovered) return;
    this.state.hovered = chosen;
    this.draw(true);
  }

  // two atoms, or the same one twice; null for none
  hoverPair(pair) {
    if (String(pair) === String(this.state.pair)) return;
    this.state.pair = pair;
    this.state.hovered = null;
    this.draw(true);
  }

  pin(key) {
    if (!key || key === "=") return;
    const { pinned } = this.state;
    this.state.pinned = pinned.includes(key) ? pinned.filter((k) => k !== key) : [...pinned, key];
    this.draw();
  }

  openOthers() {
    this.state.opened = !this.state.opened;
    this.draw();
  }

  showChecks() {
    this.tabs.open("checks");
    this.checks.node.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const { state, geometry } = this;
    const frame = { ArrowRight: state.frame + 1, ArrowLeft: state.frame - 1, Home: 0,
      End: geometry.frames - 1 }[event.key];
    if (frame !== undefined) this.show(frame);
    else if (event.key === "n" || event.key === "p") {
      const step = event.key === "n" ? 1 : geometry.count - 1;
      this.choose((state.atom + step) % geometry.count);
    } else if (event.key === " ") this.player.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  draw(highlights) {
    this.drawing.draw(highlights);
  }

  dispose() {
    this.player.playing = false;
    this.asking.dispose();
    if (this.viewer) this.viewer.dispose();
    this.root.replaceChildren();
  }
}
