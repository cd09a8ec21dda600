/**
 * Layer 2: the shape of a regular expression. A repetition of what can be a repetition alone, as in (a+)+, splits a text in
 * exponentially many ways, and nobody needs it: it says no more than a+ does. What else is slow is left to the deadline.
 */

/** What a part of an expression can match. */
type Shape = {
  readonly canBeEmpty: boolean;
  /** Nothing but one repetition without an end. */
  readonly canBeRepetition: boolean;
};

const CHARACTER: Shape = { canBeEmpty: false, canBeRepetition: false };
const CONDITION: Shape = { canBeEmpty: true, canBeRepetition: false };

/** Pieces of an expression that the engine has accepted: an escape, a class, the beginning of a group, a repetition. */
const PIECES = /\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:<?[=!]|<[^>]*>|[a-z-]*:))?|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gsu;

/** The first repetition of a repetition alone, as it is written; undefined where there is none. */
export function nestedRepetition(expression: string): string | undefined {
  const pieces = expression.match(PIECES) ?? [];
  const open: { start: number; readonly isCondition: boolean; readonly alternatives: Shape[]; parts: Shape[] }[] = [];
  let group = { start: 0, isCondition: false, alternatives: [] as Shape[], parts: [] as Shape[] };
  let lastStart = 0;
  for (const [at, piece] of pieces.entries()) {
    const last = group.parts.at(-1);
    if (piece.startsWith('(')) {
      open.push(group);
      group = { start: at, isCondition: /^\(\?<?[=!]/.test(piece), alternatives: [], parts: [] };
    } else if (piece === ')') {
      const shape = group.isCondition ? CONDITION : oneOf([...group.alternatives, sequence(group.parts)]);
      lastStart = group.start;
      group = open.pop() ?? group;
      group.parts.push(shape);
    } else if (piece === '|') {
      group.alternatives.push(sequence(group.parts));
      group.parts = [];
    } else if (last !== undefined && isRepetition(piece)) {
      if (hasNoEnd(piece) && last.canBeRepetition) return pieces.slice(lastStart, at + 1).join('');
      group.parts[group.parts.length - 1] = repeated(last, piece);
    } else {
      lastStart = at;
      group.parts.push(['^', '$', '\\b', '\\B'].includes(piece) ? CONDITION : CHARACTER);
    }
  }
  return undefined;
}

function isRepetition(piece: string): boolean {
  return /^(?:[*+?]|\{\d)/.test(piece);
}

function hasNoEnd(piece: string): boolean {
  return /^(?:[*+]|\{\d+,\})/.test(piece);
}

function repeated({ canBeEmpty, canBeRepetition }: Shape, piece: string): Shape {
  return { canBeEmpty: canBeEmpty || /^(?:[*?]|\{0+[,}])/.test(piece), canBeRepetition: canBeRepetition || hasNoEnd(piece) };
}

function sequence(parts: readonly Shape[]): Shape {
  const needed = parts.filter(({ canBeEmpty }) => !canBeEmpty);
  const [only] = needed;
  const canBeRepetition = only === undefined ? parts.some((part) => part.canBeRepetition) : needed.length === 1 && only.canBeRepetition;
  return { canBeEmpty: only === undefined, canBeRepetition };
}

function oneOf(alternatives: readonly Shape[]): Shape {
  return {
    canBeEmpty: alternatives.some(({ canBeEmpty }) => canBeEmpty),
    canBeRepetition: alternatives.some(({ canBeRepetition }) => canBeRepetition),
  };
}
