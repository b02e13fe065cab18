// A rotary knob in SVG: drag up and down (with Shift finely), wheel, arrow keys; a double click takes it to its rest.

const TURN = 270, START = 135;      // degrees: the gap is at the bottom
const WAY = 220;                    // pixels from one end to the other
const SETTLE = 300;                 // milliseconds after a turn in which what comes back may be older than it
const FINE = 0.12, STEP = 0.01, LEAP = 0.1;
const SVG = "http://www.w3.org/2000/svg";

const clamp = (x) => Math.min(1, Math.max(0, x));
const at = (position, radius) => {
  const angle = ((START + TURN * position) * Math.PI) / 180;
  return [50 + radius * Math.cos(angle), 50 + radius * Math.sin(angle)];
};

function arc(from, to, radius) {
  const [low, high] = from < to ? [from, to] : [to, from];
  const [x1, y1] = at(low, radius), [x2, y2] = at(high, radius);
  return `M${x1} ${y1}A${radius} ${radius} 0 ${(high - low) * TURN > 180 ? 1 : 0} 1 ${x2} ${y2}`;
}

function shape(parent, tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

export function definitions() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("width", 0); svg.setAttribute("height", 0); svg.style.position = "absolute";
  svg.innerHTML = `<defs>
    <radialGradient id="cap" cx=".38" cy=".26" r=".95"><stop offset="0" stop-color="#4a4e56"/><stop offset=".55" stop-color="#2a2d32"/><stop offset="1" stop-color="#191b1e"/></radialGradient>
    <linearGradient id="rim" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#5b606a"/><stop offset="1" stop-color="#141517"/></linearGradient>
    <filter id="shade" x="-40%" y="-40%" width="180%" height="190%"><feDropShadow dx="0" dy="3" stdDeviation="3" flood-color="#000" flood-opacity=".55"/></filter></defs>`;
  document.body.append(svg);
}

export class Knob {
  /** @param parameter as in the server's greeting  @param changed called with (id, position) when the user turns it */
  constructor(parameter, changed, { hero = false } = {}) {
    this.parameter = parameter;
    this.changed = changed;
    this.position = parameter.default;
    this.held = false;
    this.element = document.createElement("div");
    this.element.className = `knob learnable${hero ? " hero" : ""}`;
    this.element.dataset.id = parameter.id;
    this.element.title = parameter.about;
    this.element.tabIndex = 0;
    for (const [key, value] of Object.entries({ role: "slider", "aria-label": parameter.name, "aria-valuemin": 0, "aria-valuemax": 100 }))
      this.element.setAttribute(key, value);
    this.draw(hero);
    this.bind();
    this.show(this.position, "");
  }

  draw(hero) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 100");
    const wide = hero ? 5 : 6.5;
    for (let n = 0; n <= 10; n++) {
      const [x1, y1] = at(n / 10, 48.5), [x2, y2] = at(n / 10, n % 5 ? 51 : 53);
      shape(svg, "line", { class: "tick", x1, y1, x2, y2, "stroke-width": 1.4, "stroke-linecap": "round" });
    }
    shape(svg, "path", { class: "track", d: arc(0, 1, 42), fill: "none", "stroke-width": wide, "stroke-linecap": "round" });
    this.arc = shape(svg, "path", { class: "arc", fill: "none", "stroke-width": wide, "stroke-linecap": "round" });
    shape(svg, "circle", { cx: 50, cy: 50, r: 33, fill: "url(#rim)", filter: "url(#shade)" });
    shape(svg, "circle", { cx: 50, cy: 50, r: 31.6, fill: "url(#cap)" });
    this.hand = shape(svg, "line", { x1: 50, y1: 22, x2: 50, y2: 33, stroke: "#f4ead6", "stroke-width": hero ? 3.2 : 4.4, "stroke-linecap": "round" });
    this.ghost = shape(svg, "circle", { class: "ghost-at", r: 3.4, visibility: "hidden" });
    this.name = document.createElement("div"); this.name.className = "name"; this.name.textContent = this.parameter.name;
    this.value = document.createElement("div"); this.value.className = "value";
    this.control = shape(svg, "text", { class: "cc", x: 50, y: hero ? 92 : 95 });
    this.element.append(svg, this.name, this.value);
  }

  bind() {
    const element = this.element;
    let y = 0;
    element.addEventListener("pointerdown", (event) => {
      if (event.button || document.body.classList.contains("learning")) return;
      element.setPointerCapture(event.pointerId);
      this.held = true;
      y = event.clientY;
    });
    element.addEventListener("pointermove", (event) => {
      if (!this.held) return;
      const way = (y - event.clientY) / WAY;
      y = event.clientY;
      if (way) this.set(this.position + way * (event.shiftKey ? FINE : 1));
    });
    const release = () => {
      if (!this.held) return;
      this.held = false;
      if (!this.settling && this.received) this.settle();
    };
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("dblclick", () => {
      if (!document.body.classList.contains("learning")) this.set(this.parameter.default);
    });
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.set(this.position - Math.sign(event.deltaY) * STEP * (event.shiftKey ? FINE : 2));
    }, { passive: false });
    element.addEventListener("keydown", (event) => {
      const fine = event.shiftKey ? FINE : 1;
      const steps = { ArrowUp: STEP * fine, ArrowRight: STEP * fine, ArrowDown: -STEP * fine, ArrowLeft: -STEP * fine, PageUp: LEAP, PageDown: -LEAP };
      if (event.key in steps) this.set(this.position + steps[event.key]);
      else if (event.key === "Home") this.set(0);
      else if (event.key === "End") this.set(1);
      else if (event.key === "Delete" || event.key === "Backspace") this.set(this.parameter.default);
      else return;
      event.preventDefault();
    });
  }

  set(position) {
    position = clamp(position);
    if (position === this.position) return;
    this.show(position, this.value.textContent);
    this.changed(this.parameter.id, position);
    this.received = [position, null];
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLE);
  }

  /** Take a value from the server. While the user turns the knob, and just after, it is older than the knob and waits. */
  receive(position, text) {
    this.received = [position, text];
    this.show(this.held || this.settling ? this.position : position, text);
  }

  settle() {
    this.settling = null;
    if (!this.held) this.show(this.received[0], this.received[1] ?? this.value.textContent);
  }

  show(position, text) {
    this.position = position;
    const origin = this.parameter.origin;
    const empty = Math.abs(position - origin) < 0.003;
    this.arc.setAttribute("visibility", empty ? "hidden" : "visible");
    if (!empty) this.arc.setAttribute("d", arc(origin, position, 42));
    this.hand.setAttribute("transform", `rotate(${START + TURN * position - 270} 50 50)`);
    this.value.textContent = text;
    this.element.setAttribute("aria-valuenow", Math.round(100 * position));
    this.element.setAttribute("aria-valuetext", text);
  }

  /** Show where the controller stands that still has to reach the value; null hides it. */
  await(position) {
    this.ghost.setAttribute("visibility", position === null ? "hidden" : "visible");
    if (position === null) return;
    const [cx, cy] = at(position, 42);
    this.ghost.setAttribute("cx", cx);
    this.ghost.setAttribute("cy", cy);
  }
}
