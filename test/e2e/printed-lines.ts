import { EventEmitter, once } from 'node:events';

const DEADLINE_MS = 60_000;

/** What a process prints, line by line, for a test that waits for some of it. */
export class PrintedLines {
  readonly all: string[] = [];
  readonly #events = new EventEmitter();

  add(line: string): void {
    this.all.push(line);
    this.#events.emit('line');
  }

  /** The audit lines among them. */
  audited(action: string): Record<string, unknown>[] {
    return this.all
      .filter((line) => line.includes('"audit":true'))
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((line) => line.action === action);
  }

  /** Waits until something holds, which a line may have changed; an error names it when it does not within a minute. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    while (!holds()) {
      await once(this.#events, 'line', { signal }).catch((cause: unknown) => {
        throw new Error(`${what} did not come within ${DEADLINE_MS} ms`, { cause });
      });
    }
  }
}

/** How many attempts lines of `door.enter` stand for. */
export function countRefusals(lines: readonly Record<string, unknown>[]): number {
  return lines.reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
}
