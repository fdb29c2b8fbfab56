// The molecule on nglview's stage. The counterpart of views/nglview_adapter.py: no other file
// knows nglview's or NGL's inner parts.

// in a slow film, pixels along each side relative to the usual number
const COARSE = 0.7;

async function nglViewer(model, host, geometry, on) {
  const view = await nglStage(model, host);
  return new NglViewer(view, host, geometry, on);
}

async function nglStage(model, host) {
  const name = model.get("view");
  if (!name) throw new Error(model.get("scene").trouble || "nglview is missing");
  const inner = await model.widget_manager.get_model(name.slice("IPY_MODEL_".length));
  const view = await model.widget_manager.create_view(inner);
  host.append(view.el);
  // nglview makes its stage when Lumino says that the view is in the page, as it is now
  view.trigger("displayed");
  for (let tries = 0; !view.stage && tries < 250; tries++)
    await new Promise((done) => setTimeout(done, 20));
  if (!view.stage) throw new Error("nglview made no stage (is WebGL switched off?)");
  // evaluated inside nglview's own module, the only place where its NGL can be reached
  view.executeCode("this.interpmdNGL = NGL");
  if (!view.interpmdNGL) throw new Error("this version of nglview hides NGL");
  return view;
}

class NglViewer {
  constructor(view, host, geometry, on) {
    this.view = view;
    this.host = host;
    this.geometry = geometry;
    this.on = on;
    this.NGL = view.interpmdNGL;
    this.stage = view.stage;
    this.layers = {};
    const { stage } = this;
    stage.setParameters({ fogNear: 100, fogFar: 100, clipNear: 0, clipFar: 100, clipDist: 0, sampleLevel: -1 });
    // clicks choose an atom, they do not move the camera; the explorer has its own labels
    stage.mouseControls.remove("clickPick-*");
    stage.mouseControls.remove("hoverPick");
    stage.signals.clicked.add((picked) => this.picked(picked, on.click));
    stage.signals.hovered.add((picked) => this.picked(picked, on.hover));
    stage.viewerControls.signals.changed.add(() => on.turned());
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(host);
    this.resize();
  }

  picked(hit, tell) {
    const shape = hit && (hit.sphere || hit.cylinder);
    const name = shape && shape.name;
    if (!name) tell({});
    else if (name[0] === "a") tell({ atom: this.atomOf(Number(name.slice(1))) });
    else if (name[0] === "l") tell({ bar: this.lineBars[Number(name.slice(1))] });
    else tell({});
  }

  // what was clicked may be an atom in another cell
  atomOf(sphere) {
    const { count } = this.geometry;
    return sphere < count ? sphere : (this.ghosts[sphere - count] || {}).atom;
  }

  resize() {
    const { clientWidth, clientHeight } = this.host;
    if (!clientWidth || !clientHeight) return;
    this.view.setSize(`${clientWidth}px`, `${clientHeight}px`);
    this.stage.handleResize();
    if (this.layers.atoms && !this.framed) this.fit();
    if (this.framed) this.on.turned();
  }

  // the plane of the molecule faces the reader and fills the picture
  fit() {
    const { NGL, stage, geometry } = this;
    const { centre, axes } = geometry.scene;
    const camera = stage.viewerControls;
    const turn = new NGL.Matrix4();
    turn.set(...axes[0], 0, ...axes[1], 0, ...axes[2], 0, 0, 0, 0, 1);
    stage.viewer.rotationGroup.quaternion.identity();
    camera.rotate(new NGL.Quaternion().setFromRotationMatrix(turn));
    camera.center(new NGL.Vector3(...centre));
    this.stepBack();
    this.framed = true;
  }

  // so far that everything is in the picture
  stepBack() {
    const { stage, geometry } = this;
    const { radius } = geometry.scene;
    const half = Math.tan((Math.PI / 180) * (stage.getParameters().cameraFov / 2));
    const { clientWidth, clientHeight } = this.host;
    stage.viewerControls.distance(
      -Math.max(radius[0] * (clientHeight / clientWidth), radius[1]) / half - 0.5);
    geometry.grown = false;
  }

  // film: whether it is playing, and whether it is slow
  draw(parts, film) {
    this.coarse(Boolean(film.slow));
    this.sphereLayer(parts.spheres);
    this.cylinderLayer("sticks", parts.sticks, "s");
    this.lineBars = parts.lines.bar;
    this.cylinderLayer("lines", parts.lines, "l");
    this.arrowLayer("arrows", parts.arrows, [0.15, 0.15, 0.15], 0.05);
    this.arrowLayer("own", parts.own, [0, 0, 0], 0.11);
    const share = parts.share;
    const p = parts.spheres.position;
    const spot = [p[0], p[1], p[2]];
    const [from, to] = share || [spot, spot];
    this.arrowLayer("share", { from: new Float32Array(from), to: new Float32Array(to), count: 1 },
      MARK, share ? 0.09 : 0);
    if (!this.framed) this.resize();
    else if (this.geometry.grown) this.stepBack();
    // in a film at once: a picture that comes a moment later costs the browser a second one
    if (film.playing) this.stage.viewer.render();
    else this.stage.viewer.requestRender();
  }

  // fewer pixels while a film runs where a processor draws them; sharp again when it stops
  coarse(wanted) {
    if (wanted === Boolean(this.isCoarse)) return;
    this.isCoarse = wanted;
    this.stage.viewer.renderer.setPixelRatio((window.devicePixelRatio || 1) * (wanted ? COARSE : 1));
  }

  // shapes are made once, with room to spare, and after that only moved: new ones are slow
  layer(name, count, add) {
    const old = this.layers[name];
    if (old && old.room >= count) return old;
    if (old) this.stage.removeComponent(old.component);
    const room = old ? Math.ceil(1.5 * count) : Math.max(count, 1);
    // cones are meshes: the usual 50 segments for each cost more than everything else together
    const shape = new this.NGL.Shape(`interpmd-${name}`, { radialSegments: 10 });
    for (let i = 0; i < room; i++) add(shape, i);
    const component = this.stage.addComponentFromObject(shape);
    const buffers = component.addRepresentation("buffer").repr.bufferList;
    this.view.model.set("n_components", 0); // else a second view waits for files that never come
    return (this.layers[name] = { room, component, buffer: buffers[0] });
  }

  sphereLayer({ position, radius, colour, count, ghosts }) {
    this.ghosts = ghosts;
    const layer = this.layer("atoms", count, (shape, i) =>
      shape.addSphere([0, 0, 0], [1, 1, 1], 0.3, `a${i}`));
    const spare = layer.room - count;
    layer.buffer.setAttributes({ position: padded(position, 3 * spare),
      radius: padded(radius, spare), color: padded(colour, 3 * spare) });
  }

  cylinderLayer(name, cylinders, letter) {
    const layer = this.layer(name, cylinders.count, (shape, i) =>
      shape.addCylinder([0, 0, 0], [0, 0, 1], [1, 1, 1], 0.1, `${letter}${i}`));
    const spare = layer.room - cylinders.count;
    layer.buffer.setAttributes({
      position1: padded(cylinders.from, 3 * spare),
      position2: padded(cylinders.to, 3 * spare),
      color: padded(cylinders.colour, 3 * spare),
      color2: padded(cylinders.colour, 3 * spare),
      radius: padded(cylinders.radius, spare),
    });
  }

  arrowLayer(name, { from, to, count }, colour, radius) {
    const layer = this.layer(name, count, (shape) =>
      shape.addArrow([0, 0, 0], [0, 0, 1], colour, radius || 0.09, ""));
    if (layer.hidden !== !radius) {
      layer.hidden = !radius;
      layer.component.setVisibility(!layer.hidden);
    }
    if (radius) layer.buffer.setAttributes({ position1: from, position2: to });
  }

  project(point) {
    const spot = this.stage.viewerControls.getPositionOnCanvas(new this.NGL.Vector3(...point));
    return [spot.x, this.host.clientHeight - spot.y];
  }

  dispose() {
    this.watch.disconnect();
    this.stage.dispose();
    this.view.remove();
  }
}

function padded(values, extra) {
  if (!extra) return values;
  const longer = new Float32Array(values.length + extra);
  longer.set(values);
  return longer;
}
