// From a frame and its answer to spheres, cylinders and arrows; the viewers only draw them.

// corners of many-body lines are drawn in towards their middle, so that lines between the same
// atoms do not hide each other
const INWARDS = { 2: 0, 3: 0.2, 4: 0.3, 5: 0.38 };
// with many lines each dash is one short cylinder: pieces cost time
const DASHES = 3, MANY = 60;
const BOND = [0.72, 0.72, 0.72];
// edges of the cell
const EDGE = [0.55, 0.55, 0.55], EDGE_RADIUS = 0.018;

class Geometry {
  constructor(scene, positions) {
    this.scene = scene;
    this.count = scene.names.length;
    this.positions = positions;
    this.frames = positions.length / (3 * this.count);
  }

  points(frame) {
    return this.positions.subarray(3 * this.count * frame, 3 * this.count * (frame + 1));
  }

  // the atoms, and after them, paler, those in other cells that a drawn line reaches
  spheres(frame, state, marks, answer) {
    const ghosts = this.ghosts(frame, state, answer, marks);
    const count = this.count + ghosts.length;
    const radius = new Float32Array(count);
    const colour = new Float32Array(3 * count);
    const position = new Float32Array(3 * count);
    position.set(this.points(frame));
    ghosts.forEach(({ atom, place }, n) => {
      radius[this.count + n] = 0.85 * this.scene.radii[atom];
      colour.set(this.scene.colours[atom].map((c) => 0.45 * c + 0.55), 3 * (this.count + n));
      position.set(place, 3 * (this.count + n));
    });
    for (let i = 0; i < this.count; i++) {
      const chosen = state.target !== "energy" && (i === state.atom
        || (state.target === "fragment" && answer && answer.target_atoms.includes(i)));
      const marked = marks.atoms.has(i);
      radius[i] = this.scene.radii[i] * (marked || chosen ? 1.35 : 1);
      colour.set(marked ? MARK : this.scene.colours[i], 3 * i);
    }
    return { position, radius, colour, count, ghosts };
  }

  // atoms in other cells: atom, name, place; those at a line's corner are named
  ghosts(frame, state, answer, marks) {
    const edges = this.edges(frame);
    if (!edges.length || !answer) return [];
    const found = new Map();
    for (const line of this.drawn(state, answer, marks))
      for (const [atom, image] of line.ghosts) {
        const key = `${atom} ${image}`;
        const named = line.atoms.includes(atom);
        if (found.has(key)) found.get(key).named ||= named;
        else found.set(key, { atom, image, named });
      }
    const p = this.points(frame);
    const { scene } = this;
    const cell = scene.cellVectors[scene.cellOf[frame]];
    const ghosts = [...found.values()].map(({ atom, image, named }) => ({ atom,
      name: named ? `${scene.names[atom]} (${image.map(stepSign).join(",")})` : "",
      place: [0, 1, 2].map((d) => p[3 * atom + d]
        + image.reduce((sum, step, k) => sum + step * cell[3 * k + d], 0)) }));
    for (const { place } of ghosts) this.makeRoom(place);
    return ghosts;
  }

  // the picture grows where an atom in another cell would lie outside it; it never shrinks again
  makeRoom(place) {
    const { centre, axes, radius } = this.scene;
    for (let d = 0; d < 2; d++) {
      const away = Math.abs(axes[d].reduce((sum, a, k) => sum + a * (place[k] - centre[k]), 0));
      if (away + 0.7 > radius[d]) {
        radius[d] = away + 0.7;
        this.grown = true;
      }
    }
  }

  edges(frame) {
    return this.scene.cells[this.scene.cellOf[frame]];
  }

  // lines that are shown: the largest, and those that are marked
  drawn(state, answer, marks) {
    const chosen = answer ? answer.lines.slice(0, state.shown) : [];
    return marks.any ? withMarked(chosen, answer.lines, marks, state.shown) : chosen;
  }

  // the bonds that Python found in this frame; one across a periodic boundary is two halves
  sticks(frame, ghosts) {
    const p = this.points(frame);
    const { pairs, across } = this.scene.bonds[this.scene.bondsOf[frame]];
    const cut = (b) => across.length > 0 && across.slice(3 * b, 3 * b + 3).some((c) => c !== 0);
    const count = pairs.length / 2;
    let halves = 0;
    for (let b = 0; b < count; b++) if (cut(b)) halves++;
    const edges = this.edges(frame);
    const away = this.between(ghosts, p, pairs, across);
    const sticks = new Cylinders(count + halves + away.length + edges.length / 6);
    sticks.bonds = count + halves;
    const stick = (a, q, c, end) => sticks.add(p, a, q, c, 0, end, BOND, 0.07, -1);
    for (let b = 0; b < count; b++) {
      const i = 3 * pairs[2 * b], j = 3 * pairs[2 * b + 1];
      if (cut(b)) {
        stick(i, [0, 1, 2].map((d) => p[j + d] + across[3 * b + d]), 0, 0.5);
        stick(j, [0, 1, 2].map((d) => p[i + d] - across[3 * b + d]), 0, 0.5);
      } else stick(i, p, j, 1);
    }
    for (const [one, other] of away) sticks.add(one, 0, other, 0, 0, 1, BOND, 0.05, -1);
    for (let e = 0; e < edges.length; e += 6)
      sticks.add(edges, e, edges, e + 3, 0, 1, EDGE, EDGE_RADIUS, -1);
    return sticks;
  }

  // bonds among atoms in other cells
  between(ghosts, p, pairs, across) {
    const found = [];
    for (let b = 0; b < pairs.length / 2 && ghosts.length > 1; b++) {
      const [i, j] = [pairs[2 * b], pairs[2 * b + 1]];
      for (const { atom, place } of ghosts) {
        if (atom !== i) continue;
        const end = place.map((x, d) => x + p[3 * j + d] - p[3 * i + d] + (across[3 * b + d] || 0));
        if (ghosts.some((other) => other.atom === j
          && Math.hypot(...other.place.map((x, d) => x - end[d])) < 0.01)) found.push([place, end]);
      }
    }
    return found;
  }

  // cylinders from atom to atom of each interaction: solid ones push along, dashed ones against
  lines(frame, state, answer, marks) {
    const chosen = answer ? answer.lines.slice(0, state.shown) : [];
    const largest = chosen.length ? Math.abs(chosen[0].value) : 1;
    const many = chosen.length > MANY;
    const thin = many ? 0.55 : 1;
    const dashes = many ? 1 : DASHES;
    const all = this.drawn(state, answer, marks);
    let pieces = 0;
    for (const line of all) pieces += (line.atoms.length - 1) * (line.value < 0 ? dashes : 1);
    const lines = new Cylinders(pieces);
    const p = this.points(frame);
    for (const line of all) {
      const corners = this.corners(p, line);
      const mark = marks.any && marks.line(line);
      const size = Math.abs(line.value) / (largest || 1);
      const radius = thin * (0.035 + 0.13 * Math.min(1, size)) * (mark ? 1.5 : 1);
      const colour = mark ? MARK : shade(line.value, largest);
      for (let leg = 0; leg < line.atoms.length - 1; leg++) {
        const a = 3 * leg, b = 3 * leg + 3;
        if (line.value >= 0) lines.add(corners, a, corners, b, 0, 1, colour, radius, line.bar);
        else
          for (let d = 0; d < dashes; d++)
            lines.add(corners, a, corners, b, (d + 0.22) / dashes, (d + 0.78) / dashes, colour,
              radius, line.bar);
      }
    }
    return lines;
  }

  corners(p, line) {
    const size = line.atoms.length;
    const corners = new Float32Array(3 * size);
    const middle = [0, 0, 0];
    for (let k = 0; k < size; k++)
      for (let d = 0; d < 3; d++) {
        corners[3 * k + d] = p[3 * line.atoms[k] + d] + (line.offsets[3 * k + d] || 0);
        middle[d] += corners[3 * k + d] / size;
      }
    const inwards = INWARDS[Math.min(size, 5)];
    for (let i = 0; i < corners.length; i++) corners[i] += inwards * (middle[i % 3] - corners[i]);
    return corners;
  }

  // forces, from the surface of each atom outwards: of the atom asked about (`own`), or of the others
  arrows(frame, state, forces, scale, radius, own) {
    const p = this.points(frame);
    const asked = state.target === "force" || state.target === "along" ? state.atom : -1;
    const atoms = own ? [asked] : Array.from({ length: this.count }, (_, i) => i);
    const from = new Float32Array(3 * atoms.length);
    const to = new Float32Array(3 * atoms.length);
    atoms.forEach((i, n) => {
      const at = 3 * Math.max(i, 0);
      const size = Math.hypot(forces[at], forces[at + 1], forces[at + 2]);
      // forces that are not known yet are NaN
      const drawn = size > 1e-9 && i >= 0 && own === (i === asked);
      for (let d = 0; d < 3; d++) {
        from[3 * n + d] = p[at + d] + (drawn ? (0.9 * radius[i] * forces[at + d]) / size : 0);
        to[3 * n + d] = from[3 * n + d] + (drawn ? scale * forces[at + d] : 0);
      }
    });
    return { from, to, count: atoms.length };
  }

  // the part of the force that belongs to the bar under the pointer
  share(frame, state, answer, scale, radius) {
    const bar = answer && state.hovered && answer.bars.find((b) => b.key === state.hovered);
    if (!bar || answer.target_atoms.length !== 1) return null;
    const vector = bar.vector || (answer.direction || [0, 0, 0]).map((c) => c * bar.value);
    const at = 3 * answer.target_atoms[0];
    const p = this.points(frame);
    const skin = (0.9 * radius[at / 3]) / (Math.hypot(...vector) || 1);
    const from = vector.map((c, d) => p[at + d] + skin * c);
    return [from, vector.map((c, d) => from[d] + scale * c)];
  }
}

function stepSign(step) {
  return step < 0 ? `−${-step}` : step > 0 ? `+${step}` : "0";
}

function withMarked(chosen, lines, marks, shown) {
  return [...chosen, ...lines.slice(shown).filter((line) => marks.line(line)).slice(0, 40)];
}

class Cylinders {
  constructor(count) {
    this.count = count;
    this.from = new Float32Array(3 * count);
    this.to = new Float32Array(3 * count);
    this.colour = new Float32Array(3 * count);
    this.radius = new Float32Array(count);
    this.bar = new Int32Array(count);
    this.used = 0;
  }

  add(p, a, q, b, start, end, colour, radius, bar) {
    const n = this.used++;
    for (let d = 0; d < 3; d++) {
      const step = q[b + d] - p[a + d];
      this.from[3 * n + d] = p[a + d] + start * step;
      this.to[3 * n + d] = p[a + d] + end * step;
      this.colour[3 * n + d] = colour[d];
    }
    this.radius[n] = radius;
    this.bar[n] = bar;
  }
}
