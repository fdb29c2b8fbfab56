// Draws the molecule, and passes the answer on to the panels.

// milliseconds between two readings of the panels in a film, and in a slow one
const READ = 95, READ_SLOW = 300;

class Drawing {
  constructor(explorer) {
    this.explorer = explorer;
    this.drawn = 0;
    this.panelled = 0;
    this.flag = make("div", { class: "im-flag", hidden: true });
    this.note = make("p", { class: "im-note" });
  }

  soon() {
    if (this.waiting) return;
    this.waiting = true;
    setTimeout(() => {
      this.waiting = false;
      this.draw();
    }, 200);
  }

  // highlights: whether nothing changed but what is highlighted
  draw(highlights = false) {
    const { explorer } = this;
    const { state, geometry, scene, viewer, player, root } = explorer;
    const answer = explorer.asking.current();
    const n = 3 * geometry.count;
    const forces = explorer.forces.subarray(n * state.frame, n * (state.frame + 1));
    const marks = new Marks(answer, state);
    const spheres = geometry.spheres(state.frame, state, marks, answer);
    const { arrowScale } = scene;
    const parts = {
      spheres,
      sticks: geometry.sticks(state.frame, spheres.ghosts),
      lines: geometry.lines(state.frame, state, answer, marks),
      arrows: geometry.arrows(state.frame, state, forces, arrowScale, spheres.radius, false),
      own: geometry.arrows(state.frame, state, forces, arrowScale, spheres.radius, true),
      share: geometry.share(state.frame, state, answer, arrowScale, spheres.radius),
    };
    if (viewer) {
      viewer.draw(parts, player);
      explorer.labels.show(viewer, state, spheres);
    }
    // in a film numbers that change more often than ten times a second cannot be read
    const now = performance.now();
    const pause = player.slow ? READ_SLOW : READ;
    const skip = player.playing && now - this.panelled < pause;
    if (!skip) this.words(answer, marks);
    if (answer && highlights) {
      explorer.budget.highlight(marks);
      explorer.pairs.highlight(answer, state, marks);
    } else if (answer && !skip) {
      this.panelled = now;
      this.panels(answer, marks);
    }
    explorer.timeline.point(state.frame, geometry.frames);
    root.classList.toggle("im-waiting", !answer);
    if (!highlights) {
      explorer.controls.update(state);
      player.update(state.frame);
    }
    this.drawn++;
    Object.assign(root.dataset, { frame: state.frame, atom: state.atom, drawn: this.drawn,
      hovered: state.hovered || "", pair: state.pair || "", lines: parts.lines.count,
      bonds: parts.sticks.bonds, ghosts: spheres.ghosts.map((g) => g.name).filter(Boolean).join(" "), known: explorer.asking.known().brief.size });
  }

  panels(answer, marks) {
    const { explorer } = this;
    const { state, root } = explorer;
    explorer.budget.update(answer, state, marks);
    explorer.pairs.update(answer, state, marks);
    explorer.timeline.update(explorer.asking.known(), answer, state, explorer.geometry.frames);
    explorer.map.update(explorer.asking.known(), answer, state);
    explorer.table.update(answer, state);
    explorer.beside.update(state);
    explorer.checks.update(answer);
    root.dataset.answered = answer.frame;
    root.dataset.title = answer.title;
  }

  // words beside the highlighted interaction, and the legend under the molecule
  words(answer, marks) {
    const { explorer } = this;
    const { state, viewer, stage } = explorer;
    const bar = answer && answer.bars.find((b) => b.key === state.hovered);
    this.flag.hidden = !bar || !viewer;
    const unit = answer ? unitName(answer.unit, state.unit) : "";
    if (bar && viewer) {
      write(this.flag, `${bar.label} ${signed(bar.value, UNITS[state.unit])} ${unit}`);
      const p = explorer.geometry.points(state.frame);
      const spots = (marks.at.length ? marks.at : [state.atom]).map((a) =>
        viewer.project([p[3 * a], p[3 * a + 1], p[3 * a + 2]]));
      const [x, y] = [0, 1].map((d) => spots.reduce((s, v) => s + v[d], 0) / spots.length);
      const within = (place, room) => `${Math.max(4, Math.min(room - 4, place))}px`;
      this.flag.style.left = within(x + 12, stage.clientWidth - this.flag.offsetWidth);
      this.flag.style.top = within(y - 34, stage.clientHeight - this.flag.offsetHeight);
    }
    const perAngstrom = UNITS[state.unit] / explorer.scene.arrowScale;
    const ask = explorer.source.live ? "Click an atom (or press n, p) to ask what pushes it. " : "";
    const length = `${+perAngstrom.toPrecision(2)} ${unitName("eV/A", state.unit)}`;
    write(this.note, `${ask}Black arrows: forces (thick: the one asked about); `
      + `1 Å of arrow means ${length}.`);
    if (answer) explorer.view.setAttribute("aria-label",
      `molecule at frame ${state.frame}; ${answer.title}; ${explorer.budget.summary.textContent}`);
  }
}
