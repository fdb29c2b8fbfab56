// Links the parts: one state, one cache of answers, one way of drawing.

let explorers = 0;
// milliseconds between two readings of the panels in a film, and in a slow one
const READ = 95, READ_SLOW = 300;
// answers that come this fast (ms) and are this small are asked for before they are looked at
const FAST = 400, SMALL = 400, AHEAD = 400;

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
    this.answers = new Answers();
    this.asked = new Set();
    this.marks = new Marks(null, this.state);
    this.drawn = 0;
    this.panelled = 0;
    this.build();
  }

  build() {
    this.stage = make("div", { class: "im-stage" });
    this.flag = make("div", { class: "im-flag", hidden: true });
    this.trouble = make("p", { class: "im-trouble", role: "alert", hidden: true });
    this.note = make("p", { class: "im-note" });
    this.controls = new Controls(this);
    this.player = new Player(this);
    this.budget = new Budget(this);
    this.timeline = new TimeLine(this);
    this.pairs = new PairPanel(this);
    this.split = new EnergySplit();
    this.table = new Table();
    this.checks = new Checks();
    this.labels = new Labels(this.geometry);
    const view = make("div", { class: "im-view", role: "img", tabindex: 0,
      onkeydown: (event) => this.key(event), onmouseleave: () => this.hover(null) }, this.stage, this.labels.node, this.flag);
    this.view = view;
    this.root.classList.add("interpmd-explorer");
    this.root.append(this.controls.node, this.trouble,
      make("div", { class: "im-main" },
        make("div", { class: "im-left" }, view, this.player.node, this.note),
        this.budget.node),
      make("div", { class: "im-lower" },
        make("div", { class: "im-left" }, this.timeline.node, this.split.node), this.pairs.node),
      this.table.node, this.checks.node);
  }

  async start(makeViewer) {
    const on = { click: (hit) => this.clicked(hit), hover: (hit) => this.pointed(hit),
      turned: () => this.labels.place(this.viewer, this.state) };
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

  // --- what is known ---------------------------------------------------------------------

  key_() {
    return this.source.key(this.state);
  }

  known() {
    return this.answers.book(this.key_());
  }

  current() {
    return this.known().whole.get(this.state.frame);
  }

  // an answer came; it is drawn if it is the one that is waited for
  learn(key, answer) {
    this.answers.add(key, answer);
    this.forces.set(answer.forces, 3 * this.geometry.count * answer.frame);
    this.asked.delete(`${key} ${answer.frame}`);
    this.want(this.state.frame);
    this.ahead(answer);
    if (key !== this.key_()) return;
    if (answer.frame === this.state.frame) this.draw();
    else this.soon();
  }

  want(frame) {
    const key = this.key_();
    const mark = `${key} ${frame}`;
    if (this.known().whole.has(frame) || this.asked.has(mark)) return;
    if (this.asked.size) return; // one at a time; the next is asked when the answer is here
    this.asked.add(mark);
    this.since = performance.now();
    this.source.ask(this.state, frame, key);
  }

  // while nobody asks for anything, the frames that come next
  ahead(answer) {
    const { bars, lines } = answer;
    const { frames } = this.geometry;
    if (!this.source.live || frames > AHEAD || bars.length + lines.length > SMALL) return;
    if (performance.now() - this.since > FAST) return;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      const { brief } = this.known();
      if (this.asked.size || document.hidden || !this.root.isConnected) return;
      for (let step = 1; step < frames; step++) {
        const frame = (this.state.frame + step) % frames;
        if (!brief.has(frame)) return void this.want(frame);
      }
    }, 60);
  }

  failed(key, frame, words) {
    this.asked.delete(`${key} ${frame}`);
    this.timeline.status.textContent = "";
    if (key === this.key_() && frame === this.state.frame) this.say(words);
    else this.want(this.state.frame);
  }

  say(words) {
    this.trouble.textContent = words;
    this.trouble.hidden = !words;
  }

  // --- what a person does ----------------------------------------------------------------

  show(frame, playing = false) {
    const last = this.geometry.frames - 1;
    this.state.frame = Math.max(0, Math.min(last, frame));
    this.want(this.state.frame);
    this.draw();
    if (!playing) this.settled();
  }

  // tells the kernel once, not at every frame of a film
  settled() {
    this.source.save(this.state);
  }

  change(changes) {
    const before = this.key_();
    if (changes.atom !== undefined && changes.atom !== this.state.atom && changes.atom !== null) {
      changes.other = changes.target === "along" && changes.other !== this.state.other
        ? changes.other : null;
      if (changes.target === "torque" && this.state.target === "torque") changes.dihedral = null;
    }
    Object.assign(this.state, changes);
    this.settle();
    if (this.key_() !== before) {
      this.state.hovered = this.state.pair = null;
      this.say("");
    }
    this.show(this.state.frame);
  }

  // what a choice leaves open: the nearest other atom, a bond with the atom in it
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
    else if (hit.bar !== undefined && hit.bar >= 0 && this.current())
      this.pin(this.current().bars[hit.bar].key);
  }

  choose(atom) {
    if (this.state.target === "energy" || this.state.target === "torque")
      this.change({ target: "force", atom });
    else this.change({ atom });
  }

  pointed(hit) {
    const answer = this.current();
    const bar = answer && hit.bar >= 0 ? answer.bars[hit.bar] : null;
    this.hover(bar ? bar.key : null);
  }

  hover(key) {
    const chosen = key === "=" || key === "" ? null : key;
    if (chosen === this.state.hovered) return;
    this.state.hovered = chosen;
    this.draw(true);
  }

  // two atoms, or twice the same one; null lets go
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

  toggleChecks() {
    this.checks.node.open = !this.checks.node.open;
    this.budget.badge.setAttribute("aria-expanded", this.checks.node.open);
    if (this.checks.node.open) this.checks.node.scrollIntoView({ block: "nearest" });
  }

  explainAll() {
    this.timeline.status.textContent = "computing…";
    this.source.all(this.state, this.key_());
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

  // --- drawing ---------------------------------------------------------------------------

  soon() {
    if (this.waiting) return;
    this.waiting = true;
    setTimeout(() => {
      this.waiting = false;
      this.draw();
    }, 200);
  }

  draw(only = false) {
    const { state, geometry, scene } = this;
    const answer = this.current();
    const n = 3 * geometry.count;
    const forces = this.forces.subarray(n * state.frame, n * (state.frame + 1));
    const marks = (this.marks = new Marks(answer, state));
    const spheres = geometry.spheres(state.frame, state, marks, answer);
    const { arrowScale } = scene;
    const parts = {
      spheres,
      sticks: geometry.sticks(state.frame),
      lines: geometry.lines(state.frame, state, answer, marks),
      arrows: geometry.arrows(state.frame, state, forces, arrowScale, spheres.radius, false),
      own: geometry.arrows(state.frame, state, forces, arrowScale, spheres.radius, true),
      share: geometry.share(state.frame, state, answer, arrowScale, spheres.radius),
    };
    if (this.viewer) {
      this.viewer.draw(parts, this.player);
      this.labels.place(this.viewer, state);
    }
    // in a film numbers that change more often than ten times a second cannot be read
    const now = performance.now();
    const pause = this.player.slow ? READ_SLOW : READ;
    const skip = this.player.playing && now - this.panelled < pause;
    if (!skip) this.words(answer);
    if (answer && only) {
      this.budget.highlight(marks);
      this.pairs.highlight(answer, state, marks);
    } else if (answer && !skip) {
      this.panelled = now;
      this.panels(answer);
    }
    this.timeline.point(state.frame, geometry.frames);
    this.root.classList.toggle("im-waiting", !answer);
    if (!only) {
      this.controls.update(state);
      this.player.update(state.frame);
    }
    this.drawn++;
    Object.assign(this.root.dataset, { frame: state.frame, atom: state.atom, drawn: this.drawn,
      hovered: state.hovered || "", pair: state.pair || "", lines: parts.lines.count,
      bonds: parts.sticks.count,
      known: this.known().brief.size });
  }

  panels(answer) {
    this.budget.update(answer, this.state, this.marks);
    this.pairs.update(answer, this.state, this.marks);
    this.timeline.update(this.known(), answer, this.state, this.geometry.frames);
    this.split.update(answer, this.state);
    this.table.update(answer, this.state);
    this.checks.update(answer);
    this.root.dataset.answered = answer.frame;
    this.root.dataset.title = answer.title;
  }

  // words beside the highlighted interaction, and the legend under the molecule
  words(answer) {
    const { marks } = this;
    const bar = answer && answer.bars.find((b) => b.key === this.state.hovered);
    this.flag.hidden = !bar || !this.viewer;
    const unit = answer ? unitName(answer.unit, this.state.unit) : "";
    if (bar && this.viewer) {
      write(this.flag, `${bar.label} ${signed(bar.value, UNITS[this.state.unit])} ${unit}`);
      const p = this.geometry.points(this.state.frame);
      const spots = (marks.at.length ? marks.at : [this.state.atom]).map((a) =>
        this.viewer.project([p[3 * a], p[3 * a + 1], p[3 * a + 2]]));
      const [x, y] = [0, 1].map((d) => spots.reduce((s, v) => s + v[d], 0) / spots.length);
      this.flag.style.left = `${Math.max(4, Math.min(this.stage.clientWidth - 180, x + 12))}px`;
      this.flag.style.top = `${Math.max(4, Math.min(this.stage.clientHeight - 28, y - 34))}px`;
    }
    const scale = 1 / this.scene.arrowScale;
    const factor = UNITS[this.state.unit];
    const ask = this.source.live ? "Click an atom (or press n, p) to ask what pushes it. " : "";
    const length = `${+(scale * factor).toPrecision(2)} ${unitName("eV/A", this.state.unit)}`;
    const words = `${ask}Black arrows: forces (thick: the one asked about); 1 Å long is ${length}.`;
    write(this.note, words);
    if (answer) this.view.setAttribute("aria-label",
      `molecule at frame ${this.state.frame}; ${answer.title}; ${this.budget.summary.textContent}`);
  }

  dispose() {
    this.player.playing = false;
    clearTimeout(this.rest);
    if (this.viewer) this.viewer.dispose();
    this.root.replaceChildren();
  }
}
