// What changed between two traces: which steps belong together, and which words of them differ. The page of
// `memreason web` has it too, as a module.

const ROOM = 250_000; // pairs of words that are compared at most
const MOST = 10_000; // letters of a trace whose steps are compared with all of another one
const GAP = 0.375; // what it costs to have no partner: partners have at least a quarter of their words in common

/** [{kind: "same" | "added" | "removed", text}], which put together give both texts, white space aside. */
function words(before, after) {
  const [a, b] = [split(before), split(after)];
  if (before === after) return [{ kind: "same", text: after }];
  if (a.length * b.length > ROOM)
    return [
      { kind: "removed", text: before },
      { kind: "added", text: after },
    ];
  const table = common(a, b);
  const parts = [];
  const put = (kind, text) => {
    if (parts.at(-1)?.kind === kind) parts.at(-1).text += text;
    else parts.push({ kind, text });
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && isSame(a[i], b[j])) put("same", b[(i++, j++)]);
    else if (i < a.length && (j === b.length || table[i + 1][j] >= table[i][j + 1])) put("removed", a[i++]);
    else put("added", b[j++]);
  }
  return parts;
}

/** [[step before or null, step after or null]], in order; partners stand together. */
function aligned(before, after) {
  if (Math.max(letters(before), letters(after)) > MOST) {
    const longer = before.length > after.length ? before : after;
    return longer.map((_, i) => [before[i] ?? null, after[i] ?? null]);
  }
  const cost = Array.from({ length: before.length + 1 }, () => new Array(after.length + 1).fill(0));
  const apart = before.map((a) => after.map((b) => distance(a, b)));
  for (let i = before.length; i >= 0; i--) {
    for (let j = after.length; j >= 0; j--) {
      if (i === before.length || j === after.length) cost[i][j] = GAP * (before.length - i + after.length - j);
      else cost[i][j] = Math.min(apart[i][j] + cost[i + 1][j + 1], GAP + cost[i + 1][j], GAP + cost[i][j + 1]);
    }
  }
  const rows = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const both = i < before.length && j < after.length;
    if (both && cost[i][j] === apart[i][j] + cost[i + 1][j + 1]) rows.push([before[i++], after[j++]]);
    else if (i < before.length && (j === after.length || cost[i][j] === GAP + cost[i + 1][j]))
      rows.push([before[i++], null]);
    else rows.push([null, after[j++]]);
  }
  return rows;
}

const letters = (steps) => steps.reduce((sum, step) => sum + step.text.length, 0);

/** 0: the same; 1: nothing in common; a little more where the types differ. */
function distance(a, b) {
  const type = a.type === b.type ? 0 : 0.1;
  if (a.text === b.text) return type;
  const [one, other] = [split(a.text), split(b.text)];
  if (one.length * other.length > ROOM) return 1 + type;
  return type + 1 - (2 * common(one, other)[0][0]) / (one.length + other.length);
}

/** table[i][j]: how many words the rests of two texts, from i and from j on, have in common, in order. */
function common(a, b) {
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = isSame(a[i], b[j]) ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

const isSame = (word, other) => word.trimEnd() === other.trimEnd();

/** Words with the white space behind them, and punctuation by itself. "2.5 million" is two words, and so are
 * "Guinea-Bissau's capital". */
function split(text) {
  return text.match(/(?:[\p{L}\p{N}\p{M}_]+(?:[.,:'’-][\p{L}\p{N}\p{M}_]+)*|[^\p{L}\p{N}\p{M}_\s])\s*/gu) ?? [];
}
