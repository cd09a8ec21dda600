/**
 * Processes of one scan put in the order of a tree. What they say of their parents was read while they ran and died, and
 * may lead in a circle: every process is visited once, and nothing here calls itself.
 */

export type TreeNode = { readonly pid: number; readonly ppid: number };

export type Placed<Node> = {
  readonly node: Node;
  /** 0 for what stands at the left. */
  readonly depth: number;
  /** Of each level from the second on: whether siblings follow there. Shared between rows: one more item than the row above it. */
  readonly laterSiblings: readonly boolean[];
};

export type PlacedTree<Node> = {
  readonly rows: readonly Placed<Node>[];
  /** Processes below the greatest depth that was asked for. */
  readonly tooDeep: number;
};

export type Family<Node> = {
  readonly byPid: ReadonlyMap<number, Node>;
  /** By the pid of the parent, in the order of pids. A process that is its own parent has none. */
  readonly children: ReadonlyMap<number, readonly Node[]>;
};

export function familyOf<Node extends TreeNode>(nodes: readonly Node[]): Family<Node> {
  const byPid = new Map(nodes.map((node) => [node.pid, node]));
  const children = Map.groupBy(
    [...byPid.values()].filter(({ pid, ppid }) => pid !== ppid).toSorted((a, b) => a.pid - b.pid),
    ({ ppid }) => ppid,
  );
  return { byPid, children };
}

/** The parent, its parent and so on, the farthest first; it ends where one is not in the scan or comes again. */
export function ancestorsOf<Node extends TreeNode>({ byPid }: Family<Node>, of: Node): readonly Node[] {
  const seen = new Set([of.pid]);
  const ancestors: Node[] = [];
  for (let parent = byPid.get(of.ppid); parent !== undefined && !seen.has(parent.pid); parent = byPid.get(parent.ppid)) {
    seen.add(parent.pid);
    ancestors.push(parent);
  }
  return ancestors.toReversed();
}

/** Those whose parent is not in the scan, and of each circle the smallest pid; together they reach every process. */
export function rootsOf<Node extends TreeNode>(family: Family<Node>): readonly Node[] {
  const all = [...family.byPid.values()].toSorted((a, b) => a.pid - b.pid);
  const roots = all.filter(({ pid, ppid }) => pid === ppid || !family.byPid.has(ppid));
  const reached = new Set<number>();
  for (const root of roots) reach(family, root, reached);
  for (const node of all) {
    if (reached.has(node.pid)) continue;
    roots.push(node);
    reach(family, node, reached);
  }
  return roots;
}

export type Placing<Node> = {
  readonly roots: readonly Node[];
  /** Levels below the roots. */
  readonly mostDepth: number;
  /** What has a place elsewhere. */
  readonly except?: readonly Node[];
};

/** Rows from the roots down, parents before their children. */
export function placeTree<Node extends TreeNode>(family: Family<Node>, { roots, mostDepth, except = [] }: Placing<Node>): PlacedTree<Node> {
  const rows: Placed<Node>[] = [];
  const placed = new Set(except.map(({ pid }) => pid));
  let tooDeep = 0;
  const waiting: Placed<Node>[] = roots.toReversed().map((node) => ({ node, depth: 0, laterSiblings: [] }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth, laterSiblings } = next;
    if (placed.has(node.pid)) continue;
    placed.add(node.pid);
    rows.push(next);
    const children = (family.children.get(node.pid) ?? []).filter(({ pid }) => !placed.has(pid));
    if (depth >= mostDepth) {
      tooDeep += countBelow(family, children, placed);
      continue;
    }
    children
      .toReversed()
      .forEach((child, at) => waiting.push({ node: child, depth: depth + 1, laterSiblings: [...laterSiblings, at > 0] }));
  }
  return { rows, tooDeep };
}

function countBelow<Node extends TreeNode>(family: Family<Node>, nodes: readonly Node[], placed: Set<number>): number {
  const before = placed.size;
  for (const node of nodes) reach(family, node, placed);
  return placed.size - before;
}

/** Adds a process and everything below it. */
function reach<Node extends TreeNode>({ children }: Family<Node>, from: Node, reached: Set<number>): void {
  const waiting = [from];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (reached.has(node.pid)) continue;
    reached.add(node.pid);
    for (const child of children.get(node.pid) ?? []) waiting.push(child);
  }
}
