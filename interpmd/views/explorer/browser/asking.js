// Which answers are here, which is on its way, and which to ask for next.

// frames ahead are asked for only if answers come this fast (ms), are this small (bars and lines),
// and the film is this short (frames)
const FAST = 400, SMALL = 400, AHEAD = 400;

class Asking {
  // source: where answers come from
  constructor(explorer, source) {
    this.explorer = explorer;
    this.source = source;
    this.answers = new Answers();
    this.asked = new Set();
  }

  key() {
    return this.source.key(this.explorer.state);
  }

  known() {
    return this.answers.book(this.key());
  }

  current() {
    return this.known().whole.get(this.explorer.state.frame);
  }

  // an answer came; it is drawn if it is the one that is waited for
  learn(key, answer) {
    const { explorer } = this;
    this.answers.add(key, answer);
    explorer.forces.set(answer.forces, 3 * explorer.geometry.count * answer.frame);
    this.asked.delete(`${key} ${answer.frame}`);
    this.want(explorer.state.frame);
    this.ahead(answer);
    if (key !== this.key()) return;
    if (answer.frame === explorer.state.frame) explorer.draw();
    else explorer.drawing.soon();
  }

  want(frame) {
    const key = this.key();
    const mark = `${key} ${frame}`;
    if (this.known().whole.has(frame) || this.asked.has(mark)) return;
    if (this.asked.size) return; // one at a time; the next is asked for when the answer is here
    this.asked.add(mark);
    this.since = performance.now();
    this.source.ask(this.explorer.state, frame, key);
  }

  // while nobody asks for anything, the frames that come next
  ahead(answer) {
    const { bars, lines } = answer;
    const { explorer } = this;
    const { frames } = explorer.geometry;
    if (!this.source.live || frames > AHEAD || bars.length + lines.length > SMALL) return;
    if (performance.now() - this.since > FAST) return;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      const { brief } = this.known();
      if (this.asked.size || document.hidden || !explorer.root.isConnected) return;
      for (let step = 1; step < frames; step++) {
        const frame = (explorer.state.frame + step) % frames;
        if (!brief.has(frame)) return void this.want(frame);
      }
    }, 60);
  }

  failed(key, frame, words) {
    const { explorer } = this;
    this.asked.delete(`${key} ${frame}`);
    explorer.timeline.status.textContent = "";
    if (key === this.key() && frame === explorer.state.frame) explorer.say(words);
    else this.want(explorer.state.frame);
  }

  all() {
    this.explorer.timeline.status.textContent = "computing…";
    this.source.all(this.explorer.state, this.key());
  }

  dispose() {
    clearTimeout(this.rest);
  }
}
