// One flow's picture: it opens readable, and is moved, zoomed and searched by mouse, touch and keyboard.
"use strict";

const bench = document.querySelector(".workbench");
const flow = bench.dataset.flow;
const canvas = document.getElementById("canvas");
const svg = canvas.querySelector("svg");
const natural = { width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height };
const READABLE = 1.1; // labels are 11 and 12 pixels high at 1
const SMALLEST = 0.05, LARGEST = 4;
let scale = 1;

// `x` and `y`: the place in the canvas, in pixels from its corner, that stays where it is
function zoom(to, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
  const left = (canvas.scrollLeft + x) / scale, top = (canvas.scrollTop + y) / scale;
  scale = Math.min(LARGEST, Math.max(SMALLEST, to));
  svg.setAttribute("width", natural.width * scale);
  svg.setAttribute("height", natural.height * scale);
  canvas.scrollTo(left * scale - x, top * scale - y);
  showWhere();
}
const whole = () => Math.min(READABLE, canvas.clientWidth / natural.width, canvas.clientHeight / natural.height);

const ZOOMS = { in: () => scale * 1.25, out: () => scale / 1.25, fit: whole, read: () => READABLE };
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => zoom(ZOOMS[button.dataset.zoom]()));
}

// -- keyboard: arrows scroll as everywhere --------------------------------------------------------------------------

const KEYS = { "+": "in", "=": "in", "-": "out", _: "out", 0: "fit", 1: "read" };
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  zoom(ZOOMS[KEYS[event.key]]());
});

// -- mouse and touch: one finger scrolls by itself, two zoom --------------------------------------------------------

canvas.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return; // a wheel scrolls; with Ctrl, or a pinch on a touchpad, it zooms
  event.preventDefault();
  const frame = canvas.getBoundingClientRect();
  zoom(scale * Math.exp(-event.deltaY / 300), event.clientX - frame.left, event.clientY - frame.top);
}, { passive: false });

let drag = null;
canvas.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "mouse" || event.button !== 0) return;
  drag = { x: event.clientX, y: event.clientY, left: canvas.scrollLeft, top: canvas.scrollTop, moved: false };
});
addEventListener("pointermove", (event) => {
  if (!drag) return;
  const x = event.clientX - drag.x, y = event.clientY - drag.y;
  if (!drag.moved && Math.hypot(x, y) < 5) return;
  drag.moved = true;
  canvas.classList.add("dragged");
  canvas.scrollTo(drag.left - x, drag.top - y);
});
addEventListener("pointerup", () => {
  const moved = drag?.moved;
  drag = null;
  if (moved) setTimeout(() => canvas.classList.remove("dragged")); // after the click that this would have been
});
canvas.addEventListener("click", (event) => { if (canvas.classList.contains("dragged")) event.preventDefault(); }, true);
canvas.addEventListener("dragstart", (event) => event.preventDefault());

let pinch = null;
function fingers(event) {
  const [one, other] = event.touches, frame = canvas.getBoundingClientRect();
  return {
    apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
    x: (one.clientX + other.clientX) / 2 - frame.left,
    y: (one.clientY + other.clientY) / 2 - frame.top,
  };
}
canvas.addEventListener("touchstart", (event) => {
  pinch = event.touches.length === 2 ? { scale, apart: fingers(event).apart } : null;
}, { passive: true });
canvas.addEventListener("touchmove", (event) => {
  if (!pinch || event.touches.length !== 2) return;
  event.preventDefault();
  const now = fingers(event);
  zoom(pinch.scale * (now.apart / pinch.apart), now.x, now.y);
}, { passive: false });
canvas.addEventListener("touchend", () => { pinch = null; });

// -- the overview: every card without its words, and what of it is seen ---------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const overview = document.getElementById("overview");
const seen = document.createElementNS(SVG, "rect");

function drawOverview() {
  overview.setAttribute("viewBox", `0 0 ${natural.width} ${natural.height}`);
  const cards = [...svg.querySelectorAll("g.card:not(.member)")].map((element) => {
    const at = element.transform.baseVal.consolidate().matrix, size = element.querySelector(".frame");
    const box = document.createElementNS(SVG, "rect");
    for (const [name, value] of [["x", at.e], ["y", at.f], ["width", size.width.baseVal.value], ["height", size.height.baseVal.value]]) {
      box.setAttribute(name, value);
    }
    if (element.classList.contains("start")) box.classList.add("start");
    return box;
  });
  seen.setAttribute("class", "seen");
  overview.replaceChildren(...cards, seen);
}

function showWhere() {
  const at = { x: canvas.scrollLeft, y: canvas.scrollTop, width: canvas.clientWidth, height: canvas.clientHeight };
  for (const [name, value] of Object.entries(at)) seen.setAttribute(name, value / scale);
  const all = canvas.clientWidth >= natural.width * scale - 1 && canvas.clientHeight >= natural.height * scale - 1;
  overview.classList.toggle("needless", all);
}

function goTo(event) {
  if (!(event.buttons & 1)) return;
  const frame = overview.getBoundingClientRect();
  const x = (event.clientX - frame.left) / frame.width * natural.width;
  const y = (event.clientY - frame.top) / frame.height * natural.height;
  canvas.scrollTo(x * scale - canvas.clientWidth / 2, y * scale - canvas.clientHeight / 2);
}
overview.addEventListener("pointerdown", (event) => { overview.setPointerCapture(event.pointerId); goTo(event); });
overview.addEventListener("pointermove", goTo);
canvas.addEventListener("scroll", showWhere, { passive: true });
new ResizeObserver(showWhere).observe(canvas);

// -- states ---------------------------------------------------------------------------------------------------------

function card(state) {
  const [owner, name] = state.split(".");
  return owner === flow ? document.getElementById(`state-${owner}-${name}`) : null;
}

function reveal(element, smooth = true) {
  if (!element) return;
  const box = element.getBoundingClientRect(), frame = canvas.getBoundingClientRect();
  const still = !smooth || matchMedia("(prefers-reduced-motion: reduce)").matches;
  // a card that is larger than the canvas is shown from its beginning
  const over = (length, room) => length < room ? (room - length) / 2 : 12;
  canvas.scrollBy({
    left: box.left - frame.left - over(box.width, canvas.clientWidth),
    top: box.top - frame.top - over(box.height, canvas.clientHeight),
    behavior: still ? "auto" : "smooth",
  });
}

const find = document.getElementById("find");
const outcome = document.getElementById("found-state");
const states = [...svg.querySelectorAll("[data-state]")];
let matches = [], shown = -1;

function search() {
  const wanted = find.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const name = (element) => element.dataset.state.slice(flow.length + 1);
  const text = (element) => `${name(element)} ${element.textContent}`.toLowerCase();
  matches = wanted.length ? states.filter((element) => wanted.every((word) => text(element).includes(word))) : [];
  const own = (element) => name(element).toLowerCase().includes(wanted.join("_")) ? 0 : 1;
  matches.sort((one, other) => own(one) - own(other)); // those called so before those that say so
  states.forEach((element) => element.classList.toggle("match", matches.includes(element)));
  shown = -1;
  outcome.textContent = wanted.length ? `${matches.length || "no"} ${matches.length === 1 ? "state" : "states"}` : "";
  if (matches.length) step(1);
}

function step(by) {
  if (!matches.length) return;
  matches[shown]?.classList.remove("chosen");
  shown = (shown + by + matches.length) % matches.length;
  matches[shown].classList.add("chosen");
  if (scale < READABLE) zoom(READABLE);
  reveal(matches[shown]);
  outcome.textContent = `${shown + 1} of ${matches.length}: ${matches[shown].dataset.state.slice(flow.length + 1)}`;
}

find.addEventListener("input", search);
find.addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
  if (event.key === "Escape") { find.value = ""; search(); canvas.focus(); }
});

drawOverview();
zoom(READABLE);
const wanted = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
reveal(wanted || svg.querySelector(".card.start"), false);
