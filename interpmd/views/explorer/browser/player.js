// Plays the frames, or steps through them.

const FRAMES_PER_SECOND = 30;
// milliseconds a picture from which on a film is slow; its pictures are then coarser
const SLOW = 42;

class Player {
  constructor(explorer) {
    this.explorer = explorer;
    const last = explorer.geometry.frames - 1;
    this.button = make("button", { type: "button", class: "im-play", "aria-label": "play",
      onclick: () => this.toggle() }, "▶");
    this.slider = make("input", { type: "range", min: 0, max: last, step: 1, value: 0,
      "aria-label": "frame", class: "im-frame" });
    this.slider.addEventListener("input", () => {
      this.pause();
      explorer.show(Number(this.slider.value));
    });
    this.time = make("output", { class: "im-clock" });
    this.node = make("div", { class: "im-player", role: "group", "aria-label": "player" },
      this.button, this.slider, this.time);
    this.node.hidden = last === 0;
    this.film = 0;
  }

  update(frame) {
    this.slider.value = frame;
    const { times, timed } = this.explorer.scene;
    const last = this.explorer.geometry.frames - 1;
    const text = `frame ${frame} of ${last}` + (timed ? `, ${times[frame].toFixed(1)} fs` : "");
    write(this.time, text);
    this.slider.setAttribute("aria-valuetext", text);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    this.playing = true;
    this.slow = false;
    write(this.button, "❚❚");
    this.button.setAttribute("aria-label", "pause");
    const film = ++this.film; // a stopped film may have one more step to come
    const interval = 1000 / FRAMES_PER_SECOND;
    let due = 0, before = 0, taken = interval;
    const step = (now) => {
      if (!this.playing || film !== this.film) return;
      if (now >= due - 4) {
        // keeps the pace on screens that refresh at another one
        due = Math.max(due + interval, now);
        if (before) taken += 0.2 * (now - before - taken);
        before = now;
        this.slow ||= taken > SLOW;
        const { state, geometry } = this.explorer;
        this.explorer.show((state.frame + 1) % geometry.frames, true);
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause() {
    if (!this.playing) return;
    this.playing = this.slow = false;
    write(this.button, "▶");
    this.button.setAttribute("aria-label", "play");
    this.explorer.draw();
    this.explorer.settled();
  }
}
