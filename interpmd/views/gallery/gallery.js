// Cards of molecules: a drawing each, and on click the relaxed structure, which turns when dragged.
// The same code serves the widget and pages that open from disk.

function element(tag, parent, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

class Structure {
  constructor(canvas, atoms) {
    this.canvas = canvas;
    this.atoms = atoms;
    this.turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    canvas.addEventListener("pointerdown", (event) => {
      this.from = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.from) return;
      this.rotate((event.clientX - this.from[0]) / 90, (event.clientY - this.from[1]) / 90);
      this.from = [event.clientX, event.clientY];
    });
    canvas.addEventListener("pointerup", () => (this.from = null));
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2], ArrowDown: [0, 0.2] };
      if (!(event.key in steps)) return;
      event.preventDefault();
      this.rotate(...steps[event.key]);
    });
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(canvas);
  }

  rotate(right, down) {
    const [c, s, e, f] = [Math.cos(right), Math.sin(right), Math.cos(down), Math.sin(down)];
    const [x, y, z] = this.turn;
    const across = x.map((_, d) => c * x[d] + s * z[d]);
    const depth = x.map((_, d) => c * z[d] - s * x[d]);
    this.turn = [across, y.map((v, d) => e * v + f * depth[d]), depth.map((v, d) => e * v - f * y[d])];
    this.draw();
  }

  draw() {
    const { canvas, atoms } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const scale = Math.min(width, height) / (2 * atoms.reach);
    const places = atoms.positions.map((p) => {
      const [x, y, z] = this.turn.map((row) => row[0] * p[0] + row[1] * p[1] + row[2] * p[2]);
      return [width / 2 + scale * x, height / 2 - scale * y, z];
    });
    const queue = [];
    for (const [i, j] of atoms.bonds) {
      queue.push([(places[i][2] + places[j][2]) / 2 - 0.05, () => {
        pen.beginPath();
        pen.moveTo(places[i][0], places[i][1]);
        pen.lineTo(places[j][0], places[j][1]);
        pen.strokeStyle = "#888888";
        pen.lineWidth = 0.16 * scale;
        pen.lineCap = "round";
        pen.stroke();
      }]);
    }
    atoms.radii.forEach((radius, i) => {
      queue.push([places[i][2], () => {
        pen.beginPath();
        pen.arc(places[i][0], places[i][1], radius * scale, 0, 2 * Math.PI);
        pen.fillStyle = atoms.colours[i];
        pen.fill();
        pen.strokeStyle = "#000000";
        pen.lineWidth = 0.8;
        pen.stroke();
        pen.fillStyle = "#000000";
        pen.font = `${Math.max(8, 0.32 * scale)}px system-ui, sans-serif`;
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        if (atoms.symbols[i] !== "H") pen.fillText(atoms.symbols[i], places[i][0], places[i][1]);
      }]);
    });
    queue.sort((a, b) => a[0] - b[0]).forEach(([, paint]) => paint());
  }
}

function card(scene, item, parent) {
  const box = element("figure", parent, "", { class: "interpmd-card" + (item.suspect ? " suspect" : "") });
  const button = element("button", box, "", { type: "button", "aria-expanded": "false" });
  const picture = element("img", button, "", { alt: `Drawing of ${item.smiles}`, src: item.drawing });
  const canvas = element("canvas", button, "", { hidden: "", tabindex: "0", role: "img",
    "aria-label": `Structure of ${item.smiles}; arrow keys turn it` });
  const words = element("figcaption", box);
  element("strong", words, item.name);
  element("span", words, item.value);
  if (item.suspect) element("em", words, `not believed: ${item.suspect}`);
  if (!item.structures.length) return;
  const names = element("span", words, "", { class: "states" });
  let shown = null;
  const show = (which) => {
    shown = which;
    const flat = which === null;
    picture.hidden = !flat;
    canvas.hidden = flat;
    button.setAttribute("aria-expanded", String(!flat));
    if (!flat) {
      box.structure ??= new Structure(canvas, item.structures[which]);
      box.structure.atoms = item.structures[which];
      box.structure.draw();
    }
    for (const [k, other] of [...names.children].entries())
      other.setAttribute("aria-pressed", String(k === (which === null ? 0 : which + 1)));
  };
  const ways = ["drawing", ...item.structures.map((s) => s.name)];
  ways.forEach((name, k) => {
    const way = element("button", names, name, { type: "button" });
    way.addEventListener("click", () => show(k ? k - 1 : null));
  });
  button.addEventListener("click", () => shown === null && show(0));
  show(null);
}

function gallery(scene, root) {
  root.replaceChildren();
  const box = element("div", root, "", { class: "interpmd-gallery" });
  for (const item of scene.items) card(scene, item, box);
}
