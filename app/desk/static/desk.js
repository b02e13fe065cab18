// The desk: one connection to the host, and the page that shows its messages.

import { Knob, definitions } from "./knob.js";
import { Pad } from "./pad.js";
import { COOL, Scope, WARM } from "./scope.js";
import { MapList } from "./maplist.js";

const $ = (id) => document.getElementById(id);
const FLOOR = -60, AGAIN = 700, HOLD = 1200, FALL = 18, RECENT = 10000;
const MARKS = [[100, "100"], [1000, "1k"], [10000, "10k"]];
const HEROES = new Set(["strength", "notes"]), BANDS_TYPE = 2;
const CAPTURES = ["capture", "capture_second"];
const MAIN_SWITCHES = new Set(["freeze", "soundcheck", "bypass", "mute"]);

let socket = null, known = {}, knobs = {}, switches = {}, pad = null, maps = null, learning = { on: false, waiting: {} };
let stylesShown = false, takes = [], dropped = -1, recent = -Infinity;
const scopes = [new Scope(document.querySelector(".in canvas"), COOL), new Scope(document.querySelector(".out canvas"), WARM)];

function send(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}
const changed = (id, position) => send({ do: "set", v: { [id]: position } });

function news(text, error = false) {
  const place = $("news");
  place.textContent = text;
  place.classList.add("on");
  place.classList.toggle("error", error || text.startsWith("error"));
  clearTimeout(news.timer);
  news.timer = setTimeout(() => { place.classList.remove("on"); }, error ? 12000 : 6000);
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ---- building -------------------------------------------------------------------------------------------------

function build(hello) {
  known = Object.fromEntries(hello.parameters.map((one) => [one.id, one]));
  for (const place of ["knobs", "switches", "xy"]) $(place).replaceChildren();
  knobs = {}; switches = {};
  const mixed = hello.parameters.filter((one) => /^style_\d+$/.test(one.id)).map((one) => one.id);
  const heroes = element("div", { className: "heroes" }), rest = element("div", { className: "rest" });
  const toggles = hello.parameters.filter((one) => one.kind === "toggle");
  // What is used while playing first; the switches of single effects after it.
  toggles.sort((a, b) => MAIN_SWITCHES.has(b.id) - MAIN_SWITCHES.has(a.id)).forEach(addSwitch);
  for (const one of hello.parameters) {
    if (one.kind === "toggle") continue;
    if (!mixed.includes(one.id)) {
      const knob = new Knob(one, changed, { hero: HEROES.has(one.id) });
      knobs[one.id] = knob;
      (HEROES.has(one.id) ? heroes : rest).append(knob.element);
    }
  }
  $("knobs").append(heroes, rest);
  pad = new Pad($("xy"), mixed, (v) => send({ do: "set", v }));
  maps = new MapList($("map"), known, hello.curves, send);
  for (const scope of document.querySelectorAll(".scope")) {
    for (const old of scope.querySelectorAll(".hz")) old.remove();
    for (const [hz, text] of MARKS) {
      const mark = element("span", { className: "hz", textContent: text });
      mark.style.bottom = `${(100 * Math.log(hz / hello.hz[0])) / Math.log(hello.hz[1] / hello.hz[0])}%`;
      scope.append(mark);
    }
  }
  const triggers = new Set(hello.triggers.map((one) => one.id));
  $("record").hidden = !triggers.has("record");
  $("capture-shelf").hidden = !triggers.has("capture");
  $("capture_second").hidden = !triggers.has("capture_second");
}

function addSwitch(one) {
  const button = element("button", { className: `switch learnable${MAIN_SWITCHES.has(one.id) ? "" : " minor"}`, textContent: one.name, title: one.about });
  button.setAttribute("role", "switch");
  button.dataset.id = one.id;
  button.addEventListener("click", () => {
    if (!learning.on) changed(one.id, button.getAttribute("aria-checked") === "true" ? 0 : 1);
  });
  switches[one.id] = button;
  $("switches").append(button);
}

// ---- messages of the host -----------------------------------------------------------------------------------------

const handlers = {
  hello: build,

  values({ v }) {
    for (const [id, [position, text]] of Object.entries(v)) {
      knobs[id]?.receive(position, text);
      switches[id]?.setAttribute("aria-checked", position >= 0.5);
      pad?.receive(id, position);
      if (id === "bypass") {
        $("panic").setAttribute("aria-pressed", position >= 0.5);
        for (const knob of Object.values(knobs)) knob.element.classList.toggle("off", position >= 0.5);
      }
    }
  },

  status(now) {
    const running = now.state === "running";
    $("state").className = `state ${running ? "running" : "trouble"}`;
    $("state").lastChild.textContent = running ? now.clock : now.state;
    $("load").textContent = `${Math.round(100 * now.load)} %`;
    const loads = Object.entries(now.effects).map(([name, load]) => part(name, `${(100 * load).toFixed(1)} %`));
    $("load-pop").hidden = !loads.length;
    $("load-pop").replaceChildren(...loads);
    $("total").textContent = `${now.total.toFixed(1)} ms`;
    const drops = Object.entries(now.drops), sum = drops.reduce((all, [, count]) => all + count, 0);
    $("drops").textContent = sum;
    if (sum > dropped) { if (dropped >= 0) recent = performance.now(); dropped = sum; }
    // Red for a while after it happened: afterwards it is a figure like others.
    $("drops-fact").classList.toggle("bad", performance.now() - recent < RECENT);
    $("drops-pop").replaceChildren(...drops.map(([name, count]) => part(name, count)), ...now.notes.map((text) => element("p", { className: "hint", textContent: text })));
    budget(now);
    meter(document.querySelector(".in .meter"), now.in, false);
    meter(document.querySelector(".out .meter"), now.out, now.limiter);
  },

  learning(now) {
    learning = now;
    document.body.classList.toggle("learning", now.on);
    $("learn").setAttribute("aria-pressed", now.on);
    $("map-shelf").hidden = !now.on;
    $("presets-shelf").hidden = $("effects-shelf").hidden = now.on;
    $("styles-shelf").classList.toggle("aside", now.on);
    shelves();
    for (const item of document.querySelectorAll(".learnable")) item.classList.toggle("touched", item.dataset.id === now.target);
    for (const [id, knob] of Object.entries(knobs)) knob.await(now.waiting[id] ?? null);
    const name = now.target && (known[now.target]?.name ?? now.target);
    $("learn-hint").textContent = now.target ? `Now move a control for ${name}.`
      : now.control ? `${now.control} moved. Now touch what it is to turn.` : "Touch a knob, then move a control. Or the other way round.";
  },

  map({ items }) {
    maps?.show(items);
    const by = {};
    for (const item of items) (by[item.target] ??= []).push(item.control);
    for (const [id, knob] of Object.entries(knobs)) knob.control.textContent = (by[id] ?? []).join(", ");
  },

  presets({ items, current }) {
    list($("presets"), items.map((one) => ({
      name: one.name, number: one.program ?? "", on: one.name === current, target: `preset:${one.name}`,
      press: () => send({ do: "recall", name: one.name }),
      remove: () => confirm(`Delete the preset ${one.name}?`) && send({ do: "delete", name: one.name }),
    })), "None yet. Set the knobs, then save.");
  },

  styles({ slots, styles, folder, capturing }) {
    for (const [id, source, name] of [["capture", "main", "Capture"], ["capture_second", "second", "Second"]]) {
      $(id).classList.toggle("down", capturing === source);
      $(id).firstElementChild.textContent = capturing === source ? "Listening…" : name;
    }
    pad?.names([0, 1, 2, 3].map((n) => slots[n]?.name));
    stylesShown = styles.length > 0 || Boolean(folder);
    $("folder").textContent = folder ?? "";
    shelves();
    list($("styles"), styles.map((one) => ({ name: one.name, on: one.on, dim: one.loading, press: () => send({ do: "style", name: one.name }) })), "No styles in this folder.");
  },

  recorder(now) {
    $("record").setAttribute("aria-pressed", now.on);
    $("record").lastElementChild.textContent = now.on ? now.clock : "Record";
    takes = now.takes;
    $("bounce").hidden = !takes.length;
    $("bounce").disabled = now.bouncing !== null;
    $("bounce").textContent = now.bouncing === null ? "Bounce" : "Bouncing…";
    $("bounce-take").textContent = takes[0] ?? "";
  },

  effects({ loading }) {
    $("effect").disabled = Boolean(loading);
    $("effect").textContent = loading ? "Loading…" : "Add";
  },

  news: ({ text }) => news(text),
  error: ({ text }) => news(text, true),
};

function shelves() {
  $("styles-shelf").hidden = learning.on || !stylesShown;
}

function part(name, value, about = "") {
  return element("div", { className: "part" }, element("span", { textContent: name }), element("b", { textContent: value }), element("small", { textContent: about }));
}

function budget(now) {
  const why = { stylizer: "a frame has to be complete first", buffer: "finished sound kept ahead, against drop-outs", device: "as its driver says" };
  const bars = element("div", { className: "stack" }, ...now.latency.map((one) => { const bar = element("i"); bar.style.flex = `${one.ms} 0 0`; return bar; }));
  const format = `${now.rate} Hz, ${now.hop ? `hop ${now.hop}, ` : ""}${now.block ? `blocks of ${now.block}` : "blocks as the device likes"}`;
  $("budget").replaceChildren(bars, ...now.latency.map((one) => part(one.part, `${one.ms.toFixed(1)} ms`, `${one.samples} samples: ${why[one.part]}`)), element("small", { textContent: `${now.input} to ${now.output}, ${format}` }));
}

function meter(place, peaks, limiting) {
  while (place.children.length < peaks.length) place.append(element("div", {}, element("i"), element("b")));
  place.classList.toggle("limiting", limiting);
  const now = performance.now();
  peaks.forEach((peak, n) => {
    const bar = place.children[n], level = 1 - peak / FLOOR;
    bar.title = `${peak.toFixed(0)} dB`;
    bar.firstChild.style.setProperty("--above", `${100 * (1 - level)}%`);
    if (bar.held === undefined || level >= bar.held) { bar.held = level; bar.since = now; }
    else if (now - bar.since > HOLD) bar.held = Math.max(level, bar.held - (FALL / -FLOOR) / 10);
    bar.lastChild.style.bottom = `calc(${100 * bar.held}% - 2px)`;
    bar.lastChild.style.visibility = bar.held > 0.01 ? "visible" : "hidden";
  });
}

function list(place, items, none) {
  const text = JSON.stringify(items.map(({ name, number, on, dim }) => [name, number, on, dim]));
  if (place.dataset.shown === text) return;
  place.dataset.shown = text;
  place.replaceChildren(...items.map((one) => {
    const row = element("li", { className: `${one.on ? "on" : ""} ${one.dim ? "dim" : ""}` });
    const button = element("button", { title: one.name }, element("span", { textContent: one.name }));
    if (one.number !== undefined) button.prepend(element("small", { className: "number", textContent: one.number }));
    if (one.target) { button.classList.add("learnable"); button.dataset.id = one.target; }
    button.addEventListener("click", () => learning.on || one.press());
    row.append(button);
    if (one.remove) { const x = element("button", { className: "x", textContent: "×", title: "Delete" }); x.setAttribute("aria-label", `Delete ${one.name}`); x.addEventListener("click", one.remove); row.append(x); }
    return row;
  }), ...(items.length ? [] : [element("li", { className: "none", textContent: none })]));
}

// ---- input ------------------------------------------------------------------------------------------------------

$("panic").addEventListener("click", () => send({ do: "press", target: "panic" }));
$("record").addEventListener("click", () => learning.on || send({ do: "press", target: "record" }));
function menu(open) {
  $("bounce-menu").hidden = !open;
  $("bounce").setAttribute("aria-expanded", open);
}
$("bounce").addEventListener("click", () => menu($("bounce-menu").hidden));
for (const quality of ["full", "live"]) {
  $(`bounce-${quality}`).addEventListener("click", () => { menu(false); send({ do: "bounce", take: takes[0], quality }); });
}
document.addEventListener("pointerdown", (event) => event.target.closest(".menu") || menu(false));
$("learn").addEventListener("click", () => send({ do: "learn", on: !learning.on }));
$("store").addEventListener("click", () => { $("store-form").hidden = !$("store-form").hidden; if (!$("store-form").hidden) $("store-name").focus(); });
$("store-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("store-name").value.trim();
  if (name) send({ do: "store", name });
  $("store-name").value = "";
  $("store-form").hidden = true;
});

$("effect").addEventListener("click", () => { $("effect-form").hidden = !$("effect-form").hidden; if (!$("effect-form").hidden) $("effect-name").focus(); });
$("effect-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("effect-name").value.trim();
  if (name) send({ do: "add", name, before: event.submitter?.value === "before" });
  $("effect-name").value = "";
  $("effect-form").hidden = true;
});

for (const id of ["record", ...CAPTURES]) { $(id).classList.add("learnable"); $(id).dataset.id = id; }
document.addEventListener("pointerdown", (event) => {
  const item = event.target.closest?.(".learnable");
  if (learning.on && item) { send({ do: "touch", target: item.dataset.id }); event.preventDefault(); }
}, true);

/** Hold one of the pads (its id), or let go of the one that is held (null). */
function hold(id) {
  const target = id ?? hold.down;
  if (learning.on || $("capture-shelf").hidden || id === hold.down || (id && hold.down)) return;
  hold.down = id;
  if (!id) {
    send({ do: "name_capture", name: $("capture-name").value.trim() });
    $("capture-name").value = "";
  }
  send({ do: "press", target, down: Boolean(id) });
}
hold.down = null;
for (const id of CAPTURES) {
  $(id).addEventListener("pointerdown", (event) => { $(id).setPointerCapture(event.pointerId); hold(id); });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) $(id).addEventListener(end, () => hold(null));
  $(id).addEventListener("contextmenu", (event) => event.preventDefault());
}

const typing = (event) => event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey;
document.addEventListener("keydown", (event) => {
  if (typing(event)) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.repeat) return;
  if (event.key === "Escape") send({ do: "press", target: "panic" });
  else if (event.key === "c") hold("capture");
  else if (event.key === "l") $("learn").click();
  else if ("bfm".includes(event.key)) switches[{ b: "bypass", f: "freeze", m: "mute" }[event.key]]?.click();
});
document.addEventListener("keyup", (event) => event.key === "c" && hold(null));
window.addEventListener("blur", () => hold(null));

// ---- connection -------------------------------------------------------------------------------------------------

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") { const message = JSON.parse(data); handlers[message.type]?.(message); return; }
    const bytes = new Uint8Array(data), counts = [bytes[0], bytes[1]], all = counts[0] + counts[1];
    if (!all) return;
    const bands = (bytes.length - BANDS_TYPE) / all;
    scopes[0].add(bytes.subarray(BANDS_TYPE), counts[0], bands);
    scopes[1].add(bytes.subarray(BANDS_TYPE + counts[0] * bands), counts[1], bands);
  };
  socket.onclose = () => {
    hold.down = null;
    $("state").className = "state trouble";
    $("state").lastChild.textContent = "no connection; the sound goes on";
    setTimeout(connect, AGAIN);
  };
}

function frame() {
  for (const scope of scopes) scope.draw();
  requestAnimationFrame(frame);
}

window.addEventListener("resize", () => { for (const scope of scopes) scope.dirty = true; });
definitions();
connect();
frame();
