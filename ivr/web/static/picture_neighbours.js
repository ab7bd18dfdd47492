// The neighbours of a state in a picture: by its ways, and by where an arrow key points.

export const callersOf = (model, name) =>
  model.states.filter((each) => each.ways.some((way) => way.state && way.to === name)).map((each) => each.name);
export const onwardOf = (model, name) => [
  ...new Set(model.states.find((each) => each.name === name).ways.filter((way) => way.state).map((way) => way.to)),
];

const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

// The state that an arrow key leads to: sideways along a way if one leads there, else, and up and down, whatever is
// drawn next in that direction. "" at the picture's edge.
export function toward(model, name, key) {
  const middle = (each) => ({ x: each.x + each.width / 2, y: each.y + each.height / 2 });
  const here = middle(model.states.find((each) => each.name === name)), [right, down] = ARROWS[key];
  const tied = new Set([...onwardOf(model, name), ...callersOf(model, name)]);
  const found = [];
  for (const each of model.states) {
    const at = middle(each), x = at.x - here.x, y = at.y - here.y;
    const ahead = right ? x * right : y * down, aside = Math.abs(right ? y : x);
    if (ahead < 1) continue;
    const way = right && tied.has(each.name) ? 0 : 1;
    found.push({ name: each.name, way, far: ahead + 3 * aside });
  }
  found.sort((one, other) => one.way - other.way || one.far - other.far);
  return found[0]?.name || "";
}
