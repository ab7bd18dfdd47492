// The view of a picture that is larger than its window: scrolled, zoomed by wheel, fingers and keys, with an overview.

export const READABLE = 1.1; // the smallest text of a picture is 11 pixels high at 1
const SMALLEST = 0.05, LARGEST = 4;
const SVG = "http://www.w3.org/2000/svg";

export function element(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// `canvas` scrolls; `overview` is an empty SVG. `hold(svg)` is called with each new picture.
export function viewOf(canvas, overview) {
  let svg = null, natural = { width: 1, height: 1 }, scale = READABLE;
  const seen = element("rect", { class: "seen" });

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
  const zooms = { in: () => zoom(scale * 1.25), out: () => zoom(scale / 1.25), fit: () => zoom(whole()), read: () => zoom(READABLE) };

  function hold(drawn) {
    svg = drawn;
    natural = { width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height };
    canvas.replaceChildren(svg);
    drawOverview();
    zoom(scale);
  }

  function reveal(card, smooth = true) {
    if (!card) return;
    const box = card.getBoundingClientRect(), frame = canvas.getBoundingClientRect();
    const still = !smooth || matchMedia("(prefers-reduced-motion: reduce)").matches;
    // a card that is larger than the canvas is shown from its beginning
    const over = (length, room) => length < room ? (room - length) / 2 : 12;
    canvas.scrollBy({
      left: box.left - frame.left - over(box.width, canvas.clientWidth),
      top: box.top - frame.top - over(box.height, canvas.clientHeight),
      behavior: still ? "auto" : "smooth",
    });
  }

  // -- mouse and touch: one finger scrolls by itself, two zoom ------------------------------------------------------

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
  canvas.addEventListener("click", (event) => {
    if (!canvas.classList.contains("dragged")) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
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

  // -- the overview: every card without its words, and what of it is seen -------------------------------------------

  function drawOverview() {
    overview.setAttribute("viewBox", `0 0 ${natural.width} ${natural.height}`);
    const cards = [...svg.querySelectorAll("g.card:not(.member)")].map((card) => {
      const at = card.transform.baseVal.consolidate().matrix, size = card.querySelector(".frame");
      const box = element("rect", {
        x: at.e, y: at.f, width: size.width.baseVal.value, height: size.height.baseVal.value, "data-card": card.dataset.state || "",
      });
      if (card.classList.contains("start")) box.classList.add("start");
      return box;
    });
    overview.replaceChildren(...cards, seen);
  }

  function showWhere() {
    if (!svg || !canvas.clientWidth) return;
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
  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  overview.addEventListener("keydown", (event) => {
    if (event.key === "Home") canvas.scrollTo(0, 0);
    else if (event.key in STEPS) {
      const [x, y] = STEPS[event.key];
      canvas.scrollBy(x * canvas.clientWidth / 2, y * canvas.clientHeight / 2);
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("scroll", showWhere, { passive: true });
  new ResizeObserver(showWhere).observe(canvas);

  return { hold, zoom, reveal, zooms, get scale() { return scale; } };
}
