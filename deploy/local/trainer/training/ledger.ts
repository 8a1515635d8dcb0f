/** How often each batch has entered each pass: the proof that none was left out and none counted twice. */
export interface Ledger {
  /** One byte for each pass and batch, pass by pass. */
  readonly counts: Uint8Array;
  enter(pass: number, batch: number): void;
  /** Whether the batch has entered this pass. */
  has(pass: number, batch: number): boolean;
  /** Sum of the rows of those batches that entered every pass exactly once. */
  rowsSeenOnce(): number;
}

/** Opens a ledger over batches of these sizes, empty or as it was saved. */
export function openLedger(passes: number, rowCounts: readonly number[], saved?: Uint8Array): Ledger {
  const batches = rowCounts.length;
  const counts = saved ?? new Uint8Array(passes * batches);
  return {
    counts,
    enter(pass, batch) {
      const at = pass * batches + batch;
      // 255 stands for "that often or more": it must not come round to one again.
      counts[at] = Math.min(255, (counts[at] ?? 0) + 1);
    },
    has: (pass, batch) => (counts[pass * batches + batch] ?? 0) > 0,
    rowsSeenOnce() {
      let rows = 0;
      for (const [batch, rowCount] of rowCounts.entries()) {
        let once = true;
        for (let pass = 0; pass < passes && once; pass += 1) once = counts[pass * batches + batch] === 1;
        if (once) rows += rowCount;
      }
      return rows;
    },
  };
}
