/** What every fault run reports. */
export interface ChaosReport {
  readonly seed: number;
  readonly kills: number;
  readonly faults: number;
  readonly recordsChecked: number;
  readonly lost: number;
  readonly doubled: number;
  /** Everything that is not as it should be, by name. */
  readonly problems: readonly string[];
}

/** What every fault run takes. */
export interface ChaosOptions {
  readonly seed: number;
  readonly maxMs: number;
  readonly kills: number;
  readonly onProgress: (line: string) => void;
}
