// What changes between two texts, by lines: the fewest lines that go and come, for an editor whose cursor is to stay.

const MOST_CELLS = 4_000_000; // of the table; larger middles are one change

function linesOf(text) {
  return text.match(/[^\n]*\n|[^\n]+$/g) || [];
}

// [{from, to, insert}], in order, by places in `before`.
export function lineChanges(before, after) {
  const old = linesOf(before), now = linesOf(after);
  let begin = 0, oldEnd = old.length, nowEnd = now.length;
  while (begin < oldEnd && begin < nowEnd && old[begin] === now[begin]) begin++;
  while (oldEnd > begin && nowEnd > begin && old[oldEnd - 1] === now[nowEnd - 1]) { oldEnd--; nowEnd--; }
  const kept = common(old.slice(begin, oldEnd), now.slice(begin, nowEnd));
  const starts = [0];
  for (const line of old) starts.push(starts.at(-1) + line.length);
  const changes = [];
  let i = 0, j = 0;
  for (const [a, b] of [...kept, [oldEnd - begin, nowEnd - begin]]) {
    if (i < a || j < b) {
      changes.push({ from: starts[begin + i], to: starts[begin + a], insert: now.slice(begin + j, begin + b).join("") });
    }
    [i, j] = [a + 1, b + 1];
  }
  return changes;
}

// Pairs of places of the lines that both have, in order: a longest common subsequence.
function common(old, now) {
  const width = now.length + 1;
  if (!old.length || !now.length || old.length * now.length > MOST_CELLS) return [];
  const table = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      table[i * width + j] = old[i] === now[j]
        ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < old.length && j < now.length;) {
    if (old[i] === now[j]) pairs.push([i++, j++]);
    else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}
