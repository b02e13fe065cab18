// The pad that mixes up to four styles: one in each corner, each as loud as the puck is near.

const STEP = 0.02;
const SETTLE = 300;
const INSET = 30;                   // pixels: at its ends the puck is still whole
const clamp = (x) => Math.min(1, Math.max(0, x));

/** Shares of the four corners: top left, top right, bottom left, bottom right. They add up to 1. */
export function shares(x, y) {
  return [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
}

/** Where the puck stands for these shares. */
export function place(weights) {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum <= 0) return [0.5, 0.5];
  return [(weights[1] + weights[3]) / sum, (weights[2] + weights[3]) / sum];
}

export class Pad {
  /** @param ids parameters of the corners  @param moved called with {id: position} */
  constructor(element, ids, moved) {
    this.element = element;
    this.ids = ids;
    this.moved = moved;
    this.held = false;
    this.weights = ids.map(() => 1);
    this.received = [...this.weights];
    this.corners = ids.map((id, n) => {
      const corner = document.createElement("div");
      corner.className = `corner c${n}`;
      corner.innerHTML = "<b></b><span></span>";
      element.append(corner);
      return corner;
    });
    const puck = document.createElement("div");
    puck.className = "puck";
    element.append(puck);
    element.addEventListener("pointerdown", (event) => {
      if (event.button || document.body.classList.contains("learning")) return;
      element.setPointerCapture(event.pointerId);
      this.held = true;
      this.to(event);
    });
    element.addEventListener("pointermove", (event) => this.held && this.to(event));
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { this.held = false; });
    element.addEventListener("dblclick", () => this.set(0.5, 0.5));
    element.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
      const way = ways[event.key];
      if (!way) return;
      event.preventDefault();
      this.set(this.x + way[0], this.y + way[1]);
    });
    this.show();
  }

  to(event) {
    const box = this.element.getBoundingClientRect();
    this.set((event.clientX - box.left - INSET) / (box.width - 2 * INSET), (event.clientY - box.top - INSET) / (box.height - 2 * INSET));
  }

  set(x, y) {
    this.weights = shares(clamp(x), clamp(y)).slice(0, this.ids.length);
    this.changedAt = performance.now();
    this.show();
    this.received = [...this.weights];
    this.moved(Object.fromEntries(this.ids.map((id, n) => [id, this.weights[n]])));
  }

  receive(id, weight) {
    const corner = this.ids.indexOf(id);
    if (corner < 0) return;
    this.received[corner] = weight;
    // Just after a move, what comes back may be older than the move.
    clearTimeout(this.settling);
    const wait = this.held ? SETTLE : Math.max(0, (this.changedAt ?? -Infinity) + SETTLE - performance.now());
    if (wait) this.settling = setTimeout(() => this.receive(id, this.received[corner]), wait);
    else { this.weights = [...this.received]; this.show(); }
  }

  names(names) {
    this.corners.forEach((corner, n) => {
      corner.classList.toggle("empty", !names[n]);
      corner.firstChild.textContent = names[n] || "empty";
    });
    this.loaded = names.map(Boolean);
    this.show();
  }

  show() {
    [this.x, this.y] = place(this.weights);
    const along = (way) => `calc(${INSET}px + (100% - ${2 * INSET}px) * ${way})`;
    this.element.style.setProperty("--x", along(this.x));
    this.element.style.setProperty("--y", along(this.y));
    const heard = this.weights.map((weight, n) => (this.loaded && !this.loaded[n] ? 0 : weight));
    const sum = heard.reduce((a, b) => a + b, 0);
    this.corners.forEach((corner, n) => {
      const empty = this.loaded && !this.loaded[n];
      corner.lastChild.textContent = empty || !sum ? "" : `${Math.round((100 * heard[n]) / sum)} %`;
    });
  }
}
