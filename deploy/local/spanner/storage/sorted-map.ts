const MAX_ENTRIES = 64;

interface Leaf<V> {
  readonly leaf: true;
  keys: string[];
  values: V[];
  next: Leaf<V> | undefined;
}

interface Branch<V> {
  readonly leaf: false;
  /** `keys[i]` is the smallest key that `children[i + 1]` may hold. */
  keys: string[];
  children: Node<V>[];
}

type Node<V> = Leaf<V> | Branch<V>;

interface Split<V> {
  readonly key: string;
  readonly right: Node<V>;
}

/**
 * A B+-tree from strings to values, in the order of JavaScript's `<` on strings.
 *
 * It may be changed while it is iterated: an iterator goes on after the last key that it gave.
 */
export class SortedMap<V> {
  #root: Node<V> = emptyLeaf();
  #size = 0;
  /** Counts changes to the set of keys, so that iterators know when their place is stale. */
  #shape = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): V | undefined {
    const leaf = this.#leafFor(key);
    const at = lowerBound(leaf.keys, key);
    return leaf.keys[at] === key ? leaf.values[at] : undefined;
  }

  set(key: string, value: V): void {
    const split = this.#insert(this.#root, key, value);
    if (split) this.#root = { leaf: false, keys: [split.key], children: [this.#root, split.right] };
  }

  delete(key: string): boolean {
    const leaf = this.#leafFor(key);
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] !== key) return false;
    leaf.keys.splice(at, 1);
    leaf.values.splice(at, 1);
    this.#size -= 1;
    this.#shape += 1;
    // Emptied leaves stay in place for the keys to come; a map that loses everything starts afresh.
    if (this.#size === 0) this.#root = emptyLeaf();
    return true;
  }

  /** The entries with `from <= key < to`, in key order. */
  *range(from: string, to: string): Generator<readonly [key: string, value: V], void, undefined> {
    let leaf: Leaf<V> | undefined = this.#leafFor(from);
    let at = lowerBound(leaf.keys, from);
    let shape = this.#shape;
    let last: string | undefined;
    while (leaf) {
      if (shape !== this.#shape) {
        shape = this.#shape;
        leaf = this.#leafFor(last ?? from);
        at = last === undefined ? lowerBound(leaf.keys, from) : upperBound(leaf.keys, last);
      }
      const key: string | undefined = leaf.keys[at];
      const value = leaf.values[at];
      if (key === undefined || value === undefined) {
        leaf = leaf.next;
        at = 0;
        continue;
      }
      if (key >= to) return;
      last = key;
      at += 1;
      yield [key, value];
    }
  }

  #leafFor(key: string): Leaf<V> {
    let node = this.#root;
    while (!node.leaf) node = childFor(node, key);
    return node;
  }

  #insert(node: Node<V>, key: string, value: V): Split<V> | undefined {
    if (node.leaf) return this.#insertInLeaf(node, key, value);
    const at = upperBound(node.keys, key);
    const child = node.children[at];
    if (!child) throw new Error('A branch of the sorted map lacks a child');
    const split = this.#insert(child, key, value);
    if (!split) return undefined;
    node.keys.splice(at, 0, split.key);
    node.children.splice(at + 1, 0, split.right);
    return node.children.length > MAX_ENTRIES ? splitBranch(node, at + 1) : undefined;
  }

  #insertInLeaf(leaf: Leaf<V>, key: string, value: V): Split<V> | undefined {
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] === key) {
      leaf.values[at] = value;
      return undefined;
    }
    if (at === leaf.keys.length) {
      leaf.keys.push(key);
      leaf.values.push(value);
    } else {
      leaf.keys.splice(at, 0, key);
      leaf.values.splice(at, 0, value);
    }
    this.#size += 1;
    this.#shape += 1;
    return leaf.keys.length > MAX_ENTRIES ? splitLeaf(leaf, at) : undefined;
  }
}

function emptyLeaf<V>(): Leaf<V> {
  return { leaf: true, keys: [], values: [], next: undefined };
}

function childFor<V>(branch: Branch<V>, key: string): Node<V> {
  const child = branch.children[upperBound(branch.keys, key)];
  if (!child) throw new Error('A branch of the sorted map lacks a child');
  return child;
}

/** Rows often arrive in key order: a node that overflows at its end keeps nearly all it has. */
function cutAt(length: number, insertedAt: number): number {
  return insertedAt === length - 1 ? length - 2 : length >> 1;
}

function splitLeaf<V>(leaf: Leaf<V>, insertedAt: number): Split<V> {
  const cut = cutAt(leaf.keys.length, insertedAt);
  const right: Leaf<V> = {
    leaf: true,
    keys: leaf.keys.splice(cut),
    values: leaf.values.splice(cut),
    next: leaf.next,
  };
  leaf.next = right;
  return { key: right.keys[0] ?? '', right };
}

function splitBranch<V>(branch: Branch<V>, insertedAt: number): Split<V> {
  const cut = cutAt(branch.children.length, insertedAt);
  const key = branch.keys[cut - 1] ?? '';
  const right: Branch<V> = { leaf: false, keys: branch.keys.splice(cut), children: branch.children.splice(cut) };
  branch.keys.length = cut - 1;
  return { key, right };
}

/** Index of the first key that is `>= key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first key that is `> key`. */
function upperBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
