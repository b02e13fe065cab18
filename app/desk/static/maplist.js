// The controller's map in learn mode: what each control does, with its range, curve and takeover to edit.

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export class MapList {
  constructor(place, known, curves, send) {
    Object.assign(this, { place, known, curves, send, open: null, shown: "" });
  }

  show(items) {
    const text = JSON.stringify(items);
    if (text === this.shown) return;
    this.shown = text;
    this.items = items;
    this.draw();
  }

  draw() {
    this.place.replaceChildren(...this.items.map((item, n) => this.row(item, n)),
      ...(this.items.length ? [] : [element("li", { className: "none", textContent: "Nothing learnt yet." })]));
  }

  row(item, n) {
    const key = `${item.control} ${item.target}`;
    const name = this.known[item.target]?.name ?? item.target.replace("preset:", "preset ").replace("_", " ");
    const about = element("div", { className: "what" }, element("b", { textContent: name }), element("small", { textContent: item.control }));
    const more = element("button", { className: "x", textContent: "⋯", title: "Edit" });
    more.setAttribute("aria-label", `Edit ${item.control}`);
    more.onclick = () => { this.open = this.open === key ? null : key; this.draw(); };
    const remove = element("button", { className: "x", textContent: "×", title: "Forget" });
    remove.setAttribute("aria-label", `Forget ${item.control}`);
    remove.onclick = () => this.send({ do: "forget", place: n });
    const row = element("li", {}, about, more, remove);
    if (this.open === key) row.append(this.editor(item, n));
    return row;
  }

  editor(item, n) {
    const entry = item.entry;
    const change = (key, value) => this.send({ do: "edit", place: n, entry: { ...entry, [key]: value } });
    const tick = (key, label) => {
      const box = element("input", { type: "checkbox", checked: Boolean(entry[key]) });
      box.onchange = () => change(key, box.checked);
      return element("label", { className: "tick" }, box, label);
    };
    if ("press" in entry) return element("div", { className: "edit" }, tick("hold", "only while held"));
    const one = this.known[entry.parameter], percent = one?.unit === "%";
    const number = (key, label) => {
      const box = element("input", { type: "number", step: "any", value: percent ? +(100 * entry[key]).toFixed(3) : entry[key] });
      box.onchange = () => Number.isFinite(box.valueAsNumber) && change(key, percent ? box.valueAsNumber / 100 : box.valueAsNumber);
      return element("label", {}, `${label}${one?.unit ? `, ${one.unit}` : ""}`, box);
    };
    const curve = element("select", {}, ...this.curves.map((name) => element("option", { value: name, textContent: name, selected: name === entry.curve })));
    curve.onchange = () => change("curve", curve.value);
    const invert = element("button", { className: "small", textContent: "Invert" });
    invert.onclick = () => this.send({ do: "edit", place: n, entry: { ...entry, low: entry.high, high: entry.low } });
    return element("div", { className: "edit" }, number("low", "from"), number("high", "to"), element("label", {}, "curve", curve),
      element("label", {}, "direction", invert), tick("takeover", "soft takeover"));
  }
}
