interface Deadline<T> {
  readonly atMs: number;
  readonly what: T;
}

/** A binary heap of things that become due, earliest first. */
export class Deadlines<T> {
  readonly #heap: Deadline<T>[] = [];

  get nextAtMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  add(atMs: number, what: T): void {
    const added = { atMs, what };
    let at = this.#heap.push(added) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#heap[parentAt];
      if (parent === undefined || parent.atMs <= atMs) break;
      this.#heap[at] = parent;
      at = parentAt;
    }
    this.#heap[at] = added;
  }

  /** Takes the earliest one that is due, if any. */
  takeDue(nowMs: number): T | undefined {
    const [first] = this.#heap;
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first.what;
  }

  #sink(item: Deadline<T>): void {
    let at = 0;
    for (;;) {
      const left = this.#heap[2 * at + 1];
      const right = this.#heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && right.atMs < left.atMs;
      const child = isRight ? right : left;
      if (child === undefined || child.atMs >= item.atMs) break;
      this.#heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    this.#heap[at] = item;
  }
}
