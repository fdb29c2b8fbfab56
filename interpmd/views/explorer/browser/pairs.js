// The heat map: atoms by atoms, what lies on each pair; linked with the bars and the molecule.

const CELL = 30, MARGIN = 40, NUMBERED = 12;
// cells get a number, or a sign, if their value is at least this part of the largest
const WRITTEN = 0.005, SIGNED = 0.03;

class PairPanel {
  constructor(explorer) {
    this.explorer = explorer;
    this.id = `${explorer.id}-map`;
    this.svg = make("svg", { class: "im-map", role: "application", tabindex: 0,
      onkeydown: (event) => this.key(event), onmouseleave: () => this.leave(),
      onmousemove: (event) => this.over(event), onclick: (event) => this.press(event) });
    this.words = make("p", { class: "im-cell", "aria-live": "polite" });
    this.how = make("p", { class: "im-how" });
    this.unit = make("span", { class: "im-unit" });
    this.node = make("section", { class: "im-pairs", "aria-label": "pairs of atoms" },
      make("div", { class: "im-head" }, make("h4", {}, "Pairs of atoms"), this.unit),
      make("div", { class: "im-both" }, this.svg, make("div", {}, this.words, this.how)));
    this.cells = [];
  }

  // cells are built once for a set of atoms, and after that only coloured
  build(atoms) {
    const count = atoms.length;
    const { names } = this.explorer.scene;
    const name = (atom) => (atom === OTHERS ? "others" : names[atom]);
    const size = MARGIN + CELL * count + 6;
    this.svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
    this.svg.style.maxWidth = `${Math.max(150, size)}px`;
    const hatch = make("pattern", { id: this.id, width: 6, height: 6,
      patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    make("rect", { width: 2, height: 6, class: "im-hatch" }));
    this.svg.replaceChildren(make("defs", {}, hatch));
    this.cells = [];
    this.titles = [];
    for (let row = 0; row < count; row++) {
      const y = 2 + CELL * row;
      this.titles.push([make("text", { x: MARGIN - 4, y: y + 19, "text-anchor": "end" },
        name(atoms[row])), this.column(name(atoms[row]), row, count)]);
      this.svg.append(...this.titles[row]);
      for (let column = 0; column <= row; column++) {
        const at = { x: MARGIN + CELL * column, y, width: CELL - 1, height: CELL - 1 };
        const back = make("rect", at), stripes = make("rect", { ...at, fill: `url(#${this.id})` });
        const text = make("text", { x: at.x + CELL / 2 - 0.5, y: y + 18.5, "text-anchor": "middle" });
        this.svg.append(back, stripes, text);
        this.cells.push({ row, column, back, stripes, text, shown: "" });
      }
    }
    this.frame = make("rect", { class: "im-frame-cell", width: CELL - 1, height: CELL - 1 });
    this.svg.append(this.frame);
    this.label = name;
  }

  // column names stand below the map
  column(name, column, count) {
    const x = MARGIN + CELL * column + CELL / 2, y = CELL * count + 14;
    return name.length < 4 ? make("text", { x, y, "text-anchor": "middle" }, name)
      : make("text", { x: 0, y: 0, "text-anchor": "end",
        transform: `translate(${x + 4} ${y - 9}) rotate(-90)` }, name);
  }

  update(answer, state, marks) {
    const { atoms, cells } = answer.pairs;
    if (String(atoms) !== this.builtFor) {
      this.builtFor = String(atoms);
      this.build(atoms);
    }
    this.answer = answer;
    const values = new Float64Array(this.cells.length);
    for (const [row, column, value] of cells) values[(row * (row + 1)) / 2 + column] = value;
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    this.values = values;
    const factor = UNITS[state.unit];
    this.cells.forEach((cell, n) => {
      const value = values[n];
      const part = Math.abs(value) / largest;
      const text = part < (atoms.length <= NUMBERED ? WRITTEN : SIGNED) ? ""
        : atoms.length <= NUMBERED ? short(value * factor) : value < 0 ? "−" : "+";
      const shown = `${text} ${Math.round(24 * part)} ${value < 0}`;
      if (shown === cell.shown) return;
      cell.shown = shown;
      cell.back.setAttribute("fill", part < WRITTEN ? "#f4f4f4" : css(shade(value, largest, 0.1)));
      cell.stripes.setAttribute("visibility", value < 0 && part >= SIGNED ? "visible" : "hidden");
      cell.text.textContent = text;
      cell.text.setAttribute("class", part > 0.55 ? "im-strong" : "");
    });
    write(this.unit, unitName(answer.unit, state.unit));
    write(this.how, how(answer, state, this.cells.length ? atoms : []));
    this.svg.setAttribute("aria-label", `pairs of ${atoms.length} atoms; arrow keys walk over the `
      + "cells and highlight the pair, Enter keeps it, Escape releases it");
    this.highlight(answer, state, marks);
  }

  highlight(answer, state, marks) {
    if (!this.answer) return;
    const { atoms } = this.answer.pairs;
    this.cells.forEach(({ row, column, back, text }) => {
      const marked = marks.any && marks.pairs.has(pairName(atoms[row], atoms[column]));
      if (marked === back.marked) return;
      back.marked = marked;
      back.classList.toggle("im-marked", marked);
    });
    const at = state.pair ? this.place(state.pair) : -1;
    this.frame.setAttribute("visibility", at < 0 ? "hidden" : "visible");
    if (at >= 0) {
      const cell = this.cells[at];
      this.frame.setAttribute("x", MARGIN + CELL * cell.column);
      this.frame.setAttribute("y", 2 + CELL * cell.row);
    }
    write(this.words, at < 0 ? "Point at a cell: its interactions light up in the molecule and in the bars."
      : this.describe(at, state, marks));
  }

  describe(at, state, marks) {
    const { atoms } = this.answer.pairs;
    const { row, column } = this.cells[at];
    const value = `${signed(this.values[at], UNITS[state.unit])} ${unitName(this.answer.unit, state.unit)}`;
    const [a, b] = [atoms[column], atoms[row]].map(this.label);
    if (row === column) return atoms[row] === OTHERS ? `among the other atoms: ${value}`
      : this.answer.bars.some(isRest) ? `rest at ${a}: ${value}` : `${a} alone: ${value}`;
    const bars = marks.keys.size;
    const many = bars && state.grouping === "interaction"
      ? `, from ${bars} interaction${bars === 1 ? "" : "s"}` : "";
    return `${a} and ${b}: ${value}${many}`;
  }

  place([a, b]) {
    const { atoms } = this.answer.pairs;
    const [column, row] = [atoms.indexOf(a), atoms.indexOf(b)].sort((x, y) => x - y);
    return column < 0 ? -1 : (row * (row + 1)) / 2 + column;
  }

  under(event) {
    const box = this.svg.getBoundingClientRect();
    const scale = this.svg.viewBox.baseVal.width / box.width;
    const column = Math.floor(((event.clientX - box.left) * scale - MARGIN) / CELL);
    const row = Math.floor(((event.clientY - box.top) * scale - 2) / CELL);
    const { atoms } = this.answer.pairs;
    return row < atoms.length && column >= 0 && column <= row ? [atoms[column], atoms[row]] : null;
  }

  over(event) {
    if (this.answer && !this.kept) this.explorer.hoverPair(this.under(event));
  }

  leave() {
    if (!this.kept) this.explorer.hoverPair(null);
  }

  // a click keeps the pair while the pointer goes to the molecule; another one releases it
  press(event) {
    const pair = this.answer && this.under(event);
    this.kept = Boolean(pair) && !(this.kept && String(pair) === String(this.explorer.state.pair));
    this.explorer.hoverPair(pair);
  }

  key(event) {
    if (!this.answer) return;
    const { atoms } = this.answer.pairs;
    const { pair } = this.explorer.state;
    const at = pair ? this.place(pair) : -1;
    let { row, column } = at < 0 ? { row: 0, column: 0 } : this.cells[at];
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step && at >= 0) {
      row = Math.max(0, Math.min(atoms.length - 1, row + step[0]));
      column = Math.max(0, Math.min(atoms.length - 1, column + step[1]));
      // the map is a triangle: along its edge both move
      if (column > row) [row, column] = step[0] ? [row, row] : [column, column];
    }
    if (step) this.explorer.hoverPair([atoms[column], atoms[row]]);
    else if (event.key === "Enter" || event.key === " ") this.kept = Boolean(pair) && !this.kept;
    else if (event.key === "Escape") {
      this.kept = false;
      this.explorer.hoverPair(null);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

// two digits fit into a cell
function short(value) {
  const size = Math.abs(value);
  const text = size < 9.95 ? size.toFixed(1) : size.toFixed(0);
  return (value < 0 ? "−" : "+") + (size < 0.095 ? size.toFixed(2).slice(1) : text);
}

function how(answer, state, atoms) {
  const total = `${signed(answer.total, UNITS[state.unit])} ${unitName(answer.unit, state.unit)}`;
  const larger = "A triplet gives one third to each of its three pairs, a quadruplet one sixth to "
    + "each of its six";
  const alone = answer.bars.some(isRest) ? "on the diagonal, the rest at each atom"
    : "on the diagonal, what belongs to one atom alone";
  const some = atoms.includes(OTHERS) ? ` The ${atoms.length - 1} atoms with the largest values have rows of their own.` : "";
  return `${larger}; ${alone}. All cells add up to ${total}. Hatched: takes away (−).${some}`;
}
