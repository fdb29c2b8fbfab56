// In a file, which holds all answers.

class Stored {
  constructor(answers, offered, comparisons, map) {
    this.answers = answers;
    this.frames = map;
    this.comparisons = comparisons;
    this.offered = offered;
    this.live = false;
  }

  key({ grouping }) {
    return grouping;
  }

  offers(name) {
    return name === "unit" || name === "shown" || (name === "grouping" && this.offered > 1);
  }

  ask() {}

  compare(panel, state, mark) {
    panel.learn(mark, this.comparisons[state.grouping][state.frame]);
  }

  map(panel) {
    panel.learn(this.frames);
  }

  all() {}

  save() {}
}

function open({ scene, positions, forces, state, answers, comparisons, map }) {
  const groupings = Object.keys(answers);
  scene.groupings = scene.groupings.filter(([name]) => groupings.includes(name));
  const explorer = new Explorer(document.getElementById("explorer"), scene, floats(positions),
    floats(forces), state, new Stored(answers, groupings.length, comparisons, map));
  explorer.choose = () => {}; // a file has no answers about other atoms
  explorer.asking.answers.room = Infinity; // what is dropped could not be asked for again
  for (const [key, list] of Object.entries(answers))
    for (const answer of list) explorer.asking.answers.add(key, answer);
  explorer.start((host, geometry, on) => new CanvasViewer(host, geometry, on));
}
