// The panels below the molecule: one at a time, so that each has the whole width.

class Tabs {
  // panels: [name, title, node] of each
  constructor(explorer, panels) {
    this.explorer = explorer;
    this.panels = panels;
    this.buttons = panels.map(([name, title, node]) => {
      node.id = `${explorer.id}-${name}`;
      node.setAttribute("role", "tabpanel");
      return make("button", { type: "button", role: "tab", class: "im-tab", "data-tab": name,
        "aria-controls": node.id, onclick: () => this.open(name),
        onkeydown: (event) => this.key(event) }, title);
    });
    this.bar = make("div", { class: "im-tabs", role: "tablist", "aria-label": "more about it" },
      ...this.buttons);
    this.node = make("div", { class: "im-lower" }, this.bar, ...panels.map((panel) => panel[2]));
  }

  // hides what does not apply, and opens the first of those that do
  offer(names) {
    this.buttons.forEach((button, n) => { button.hidden = !names.includes(this.panels[n][0]); });
    if (!names.includes(this.opened)) this.open(names[0], true);
  }

  open(name, quiet = false) {
    this.opened = name;
    this.panels.forEach(([own, , node], n) => {
      node.hidden = own !== name;
      this.buttons[n].setAttribute("aria-selected", own === name);
      this.buttons[n].tabIndex = own === name ? 0 : -1;
    });
    this.explorer.root.dataset.tab = name;
    if (!quiet) this.explorer.draw();
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const seen = this.buttons.filter((button) => !button.hidden);
    const now = seen.indexOf(event.currentTarget);
    const next = seen[(now + step + seen.length) % seen.length];
    next.focus();
    next.click();
    event.preventDefault();
    event.stopPropagation();
  }
}
