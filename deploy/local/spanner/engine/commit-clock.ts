const MICROS_PER_MS = 1000;

/** Hands out the timestamps of one database, in microseconds since 1970: commits grow strictly and stay above every read given out. */
export class CommitClock {
  readonly #now: () => number;
  #lastCommit: number;
  #lastRead = 0;

  /** @param now milliseconds since 1970 */
  constructor(now: () => number, lastCommit = 0) {
    this.#now = now;
    this.#lastCommit = lastCommit;
  }

  get lastCommit(): number {
    return this.#lastCommit;
  }

  nowMicros(): number {
    return Math.floor(this.#now() * MICROS_PER_MS);
  }

  /** A timestamp at which every commit so far is seen. */
  strongRead(): number {
    const timestamp = Math.max(this.nowMicros(), this.#lastCommit);
    this.observeRead(timestamp);
    return timestamp;
  }

  /** Keeps later commits above a timestamp that somebody reads at. */
  observeRead(timestamp: number): void {
    this.#lastRead = Math.max(this.#lastRead, timestamp);
  }

  nextCommit(): number {
    return Math.max(this.nowMicros(), this.#lastCommit + 1, this.#lastRead + 1);
  }

  committed(timestamp: number): void {
    this.#lastCommit = Math.max(this.#lastCommit, timestamp);
  }
}
