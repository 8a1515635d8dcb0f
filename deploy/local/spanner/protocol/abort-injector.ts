/** Chooses the commits that are aborted to try what clients do then. */
export class AbortInjector {
  readonly #abortRate: () => number;
  readonly #abortCommits: (commitNumber: number) => boolean;
  #rate: number | undefined;
  #random: () => number = Math.random;
  #count = 0;

  constructor(options: {
    readonly abortRate?: () => number;
    readonly faults?: { readonly abortCommits?: (commitNumber: number) => boolean };
  }) {
    this.#abortRate = options.abortRate ?? (() => 0);
    this.#abortCommits = options.faults?.abortCommits ?? (() => false);
  }

  setRate(rate: number, seed: number): void {
    this.#rate = rate;
    this.#random = seededRandom(seed);
  }

  /** Called once for each commit. */
  decide(): boolean {
    this.#count += 1;
    const rate = this.#rate ?? this.#abortRate();
    return this.#abortCommits(this.#count) || (rate > 0 && this.#random() < rate);
  }
}

/** A xorshift generator: the same numbers in [0, 1) for the same seed. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}
