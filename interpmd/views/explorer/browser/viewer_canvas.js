// The molecule on a plain canvas: for files that open without Jupyter, and where nglview fails.

class CanvasViewer {
  constructor(host, geometry, on) {
    this.host = host;
    this.geometry = geometry;
    this.on = on;
    this.turn = geometry.scene.axes.map((row) => [...row]);
    this.zoom = 1;
    this.canvas = make("canvas", { tabindex: -1, "aria-hidden": "true" });
    host.append(this.canvas);
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.watch = new ResizeObserver(() => this.parts && this.draw(this.parts));
    this.watch.observe(host);
  }

  press(event) {
    this.start = [event.clientX, event.clientY];
    this.dragged = false;
    const stop = () => {
      if (!this.dragged) this.on.click(this.under(event));
      this.start = null;
    };
    window.addEventListener("pointerup", stop, { once: true });
  }

  move(event) {
    if (!this.start) {
      this.on.hover(this.under(event));
      return;
    }
    const dx = event.clientX - this.start[0], dy = event.clientY - this.start[1];
    if (Math.abs(dx) + Math.abs(dy) < 3) return;
    this.dragged = true;
    this.start = [event.clientX, event.clientY];
    this.rotate(dx / 120, dy / 120);
  }

  rotate(about_y, about_x) {
    const [c, s, e, f] = [Math.cos(about_y), Math.sin(about_y), Math.cos(about_x), Math.sin(about_x)];
    const [x, y, z] = this.turn;
    const turned = x.map((_, d) => c * x[d] + s * z[d]);
    const depth = x.map((_, d) => c * z[d] - s * x[d]);
    this.turn = [turned, y.map((v, d) => e * v + f * depth[d]), depth.map((v, d) => e * v - f * y[d])];
    if (this.parts) this.draw(this.parts);
  }

  wheel(event) {
    event.preventDefault();
    this.zoom *= Math.exp(-event.deltaY / 600);
    if (this.parts) this.draw(this.parts);
  }

  place(p, i = 0) {
    const { centre } = this.geometry.scene;
    const v = [p[i] - centre[0], p[i + 1] - centre[1], p[i + 2] - centre[2]];
    const [x, y, z] = this.turn.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
    return [this.middle[0] + this.scale * x, this.middle[1] - this.scale * y, z];
  }

  draw(parts) {
    this.parts = parts;
    const { clientWidth: w, clientHeight: h } = this.host;
    const dense = window.devicePixelRatio || 1;
    this.canvas.width = w * dense;
    this.canvas.height = h * dense;
    this.canvas.style.width = `${w}px`;
    this.canvas.style.height = `${h}px`;
    const { radius } = this.geometry.scene;
    this.middle = [w / 2, h / 2];
    this.scale = this.zoom * Math.min(w / (2 * radius[0]), h / (2 * radius[1]));
    const pen = this.canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, w, h);
    this.spots = [];
    const queue = [];
    this.queueLines(queue, parts.sticks);
    this.queueLines(queue, parts.lines);
    const { position, radius: sizes, colour, count } = parts.spheres;
    for (let i = 0; i < count; i++) {
      const [x, y, z] = this.place(position, 3 * i);
      const size = sizes[i] * this.scale;
      this.spots.push({ x, y, size, atom: i < this.geometry.count ? i
        : parts.spheres.ghosts[i - this.geometry.count].atom });
      queue.push([z, () => this.ball(pen, x, y, size, colour.subarray(3 * i, 3 * i + 3), i)]);
    }
    for (const [arrows, width] of [[parts.arrows, 2], [parts.own, 5]])
      for (let i = 0; i < arrows.count; i++)
        this.queueArrow(queue, arrows.from, arrows.to, 3 * i, "#111", width);
    if (parts.share) this.queueArrow(queue, ...parts.share, 0, css(MARK), 5);
    queue.sort((a, b) => a[0] - b[0]);
    for (const [, paint] of queue) paint(pen);
    this.on.turned();
  }

  queueLines(queue, cylinders) {
    for (let n = 0; n < cylinders.count; n++) {
      const a = this.place(cylinders.from, 3 * n), b = this.place(cylinders.to, 3 * n);
      const width = 2 * cylinders.radius[n] * this.scale;
      const colour = css(Array.from(cylinders.colour.subarray(3 * n, 3 * n + 3)));
      if (cylinders.bar[n] >= 0) this.spots.push({ a, b, size: width / 2 + 2, bar: cylinders.bar[n] });
      queue.push([(a[2] + b[2]) / 2, (pen) => stroke(pen, a, b, colour, width)]);
    }
  }

  queueArrow(queue, from, to, i, colour, width) {
    const a = this.place(from, i), b = this.place(to, i);
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
    if (length < 3) return;
    const [ux, uy] = [(b[0] - a[0]) / length, (b[1] - a[1]) / length];
    const head = Math.min(length, 4 + 2 * width);
    queue.push([b[2] + 9, (pen) => {
      stroke(pen, a, [b[0] - head * ux, b[1] - head * uy], colour, width);
      pen.beginPath();
      pen.moveTo(b[0], b[1]);
      pen.lineTo(b[0] - head * ux + 0.5 * head * uy, b[1] - head * uy - 0.5 * head * ux);
      pen.lineTo(b[0] - head * ux - 0.5 * head * uy, b[1] - head * uy + 0.5 * head * ux);
      pen.fillStyle = colour;
      pen.fill();
    }]);
  }

  ball(pen, x, y, size, colour, atom) {
    pen.beginPath();
    pen.arc(x, y, size, 0, 2 * Math.PI);
    pen.fillStyle = css(Array.from(colour));
    pen.fill();
    pen.lineWidth = 1;
    pen.strokeStyle = "#333";
    pen.stroke();
  }

  under(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    const spots = this.spots || [];
    const ball = spots.find((s) => s.a === undefined && Math.hypot(s.x - x, s.y - y) < s.size + 3);
    if (ball) return { atom: ball.atom };
    const line = spots.find((s) => s.a !== undefined && distance(x, y, s.a, s.b) < s.size);
    return line ? { bar: line.bar } : {};
  }

  project(point) {
    const [x, y] = this.place(point);
    return [x, y];
  }

  dispose() {
    this.watch.disconnect();
    this.canvas.remove();
  }
}

function stroke(pen, a, b, colour, width) {
  pen.beginPath();
  pen.moveTo(a[0], a[1]);
  pen.lineTo(b[0], b[1]);
  pen.lineWidth = Math.max(1, width);
  pen.lineCap = "butt";
  pen.strokeStyle = colour;
  pen.stroke();
}

function distance(x, y, a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const t = Math.max(0, Math.min(1, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}
