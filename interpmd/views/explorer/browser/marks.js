// What is highlighted: the interactions of a bar, or all that contain a pair of atoms.

// all atoms without a row of their own, as in views/explorer/pairs.py
const OTHERS = -1;

class Marks {
  constructor(answer, state) {
    this.keys = new Set();
    this.atoms = new Set();
    this.pairs = new Set();
    this.words = "";
    this.at = [];
    const bar = answer && state.hovered ? answer.bars.findIndex((b) => b.key === state.hovered) : -1;
    if (bar >= 0) this.ofBar(answer, bar);
    else if (answer && state.pair) this.ofPair(answer, state.pair, state.grouping);
    this.any = this.keys.size > 0 || this.atoms.size > 0;
  }

  ofBar(answer, number) {
    const bar = answer.bars[number];
    this.keys.add(bar.key);
    this.atoms = new Set(bar.atoms);
    this.at = bar.atoms;
    this.words = bar.label;
    this.value = bar.value;
    for (const line of answer.lines) if (line.bar === number) this.within(line.atoms);
    if (!this.pairs.size) this.within(bar.atoms);
    this.line = (line) => line.bar === number;
  }

  within(atoms) {
    if (atoms.length === 1) this.pairs.add(pairName(atoms[0], atoms[0]));
    for (let i = 0; i < atoms.length; i++)
      for (let j = i + 1; j < atoms.length; j++) this.pairs.add(pairName(atoms[i], atoms[j]));
  }

  ofPair(answer, [a, b], grouping) {
    this.pairs.add(pairName(a, b));
    this.at = [a, b].filter((atom) => atom !== OTHERS);
    this.atoms = new Set(this.at);
    const both = (atoms) => (a === b ? atoms.length === 1 && atoms[0] === a
      : atoms.includes(a) && atoms.includes(b));
    // bars of larger groups name every atom that takes part in one of them, so look at their lines
    if (grouping === "interaction" || grouping === "pair") {
      for (const bar of answer.bars) if (both(bar.atoms)) this.keys.add(bar.key);
    } else
      for (const line of answer.lines) if (both(line.atoms)) this.keys.add(answer.bars[line.bar].key);
    this.line = (line) => a !== b && both(line.atoms);
  }
}

function pairName(a, b) {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
