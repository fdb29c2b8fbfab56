// In Jupyter: answers come from the kernel, choices are kept there.

const CHOICES = ["frame", "target", "atom", "other", "dihedral", "grouping", "gauge", "method",
  "order", "reference", "unit", "shown", "beside"];

class Kernel {
  constructor(model) {
    this.model = model;
    this.live = true;
  }

  // the same text for questions with the same answer
  key({ target, atom, other, dihedral, grouping, gauge, method, order, reference }) {
    return JSON.stringify([target, target === "energy" || target === "torque" ? 0 : atom,
      target === "along" ? other : null, target === "torque" ? dihedral : null, grouping, gauge,
      method, order, reference]);
  }

  question({ target, atom, other, dihedral, grouping, gauge, method, order, reference }) {
    return { target, atom, other, dihedral, grouping, gauge, method, order, reference };
  }

  ask(state, frame, key) {
    this.model.send({ ask: "frame", question: this.question(state), frame, key });
  }

  compare(panel, state, mark) {
    this.model.send({ ask: "comparison", question: this.question(state), frame: state.frame,
      beside: state.beside, mark });
  }

  map(panel) {
    this.model.send({ ask: "map", question: this.question(panel.explorer.state) });
  }

  all(state, key) {
    this.model.send({ ask: "all", question: this.question(state), key });
  }

  save(state) {
    let changed = false;
    this.saving = true; // listeners hear of every single change, and would see half of them
    for (const name of CHOICES) {
      const value = state[name] === undefined ? null : state[name];
      if (JSON.stringify(this.model.get(name)) === JSON.stringify(value)) continue;
      this.model.set(name, value);
      changed = true;
    }
    this.saving = false;
    if (changed) this.model.save_changes();
  }
}

function render({ model, el }) {
  const root = make("div", { role: "region", "aria-label": "force explorer" });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);
  const read = () => Object.fromEntries(CHOICES.map((name) => [name, model.get(name)]));
  const source = new Kernel(model);
  const explorer = new Explorer(root, model.get("scene"), floats(model.get("positions")),
    floats(model.get("forces")), read(), source);
  // Jupyter takes arrow keys and letters for its own commands, unless the element with the focus
  // says no
  for (const node of root.querySelectorAll("button, select, input, summary, [tabindex]"))
    node.setAttribute("data-lm-suppress-shortcuts", "true");
  const heard = (message) => {
    if (message.answer === "frame") explorer.asking.learn(message.key || source.key(message.question), message.content);
    else if (message.answer === "comparison") explorer.beside.learn(message.mark, message.content);
    else if (message.answer === "map") explorer.map.learn(message.content);
    else if (message.answer === "error") explorer.asking.failed(message.key, message.frame, message.words);
    else if (message.answer === "progress") explorer.timeline.status.textContent = message.words;
  };
  const chosen = () => {
    if (source.saving) return;
    const now = read();
    if (CHOICES.some((name) => JSON.stringify(now[name]) !== JSON.stringify(explorer.state[name]))) {
      if (explorer.player.playing) return;
      explorer.change(now);
    }
  };
  model.on("msg:custom", heard);
  for (const name of CHOICES) model.on(`change:${name}`, chosen);
  explorer.start((host, geometry, on) => nglViewer(model, host, geometry, on));
  return () => {
    model.off("msg:custom", heard);
    for (const name of CHOICES) model.off(`change:${name}`, chosen);
    explorer.dispose();
  };
}

export default { render };
