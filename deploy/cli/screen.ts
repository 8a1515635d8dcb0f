import { createLogUpdate } from 'log-update';

const FRAME_MS = 100;
const PLAIN_EVERY_MS = 2_000;
const BAR_CELLS = 24;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Shows what goes on: a frame redrawn in place on a terminal, a plain line now and then elsewhere. */
export interface Screen {
  /** Prints a line for good. */
  line(text?: string): void;
  /** Shows live lines until `settle`; `plain` is their one-line form where there is no terminal. */
  live(frame: () => { readonly lines: readonly string[]; readonly plain: string }): void;
  /** Leaves the last frame standing and stops redrawing. */
  settle(): void;
}

/**
 * @param stream stderr when stdout carries JSON
 * @param isTerminal false prints plain lines
 */
export function openScreen(stream: NodeJS.WriteStream, isTerminal: boolean): Screen {
  const update = createLogUpdate(stream);
  let timer: NodeJS.Timeout | undefined;
  let frame: (() => { readonly lines: readonly string[]; readonly plain: string }) | undefined;
  let plainLine = '';
  const draw = (): void => {
    if (!frame) return;
    const { lines, plain } = frame();
    if (isTerminal) {
      update(lines.join('\n'));
    } else if (plain !== plainLine) {
      plainLine = plain;
      stream.write(`${plain}\n`);
    }
  };
  return {
    line(text = '') {
      stream.write(`${text}\n`);
    },
    live(next) {
      frame = next;
      clearInterval(timer);
      timer = setInterval(draw, isTerminal ? FRAME_MS : PLAIN_EVERY_MS);
    },
    settle() {
      clearInterval(timer);
      draw();
      if (isTerminal) update.done();
      frame = undefined;
      plainLine = '';
    },
  };
}

/** @returns a bar of 24 cells, drawn in eighths */
export function bar(done: number, total: number): string {
  const eighths = total <= 0 ? 0 : Math.round((Math.min(done, total) / total) * BAR_CELLS * 8);
  const filled = '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
  return `${filled.padEnd(BAR_CELLS, '·')}`;
}

/** @returns a line of blocks, one a value, scaled between their least and greatest */
export function sparkline(values: readonly number[], cells: number): string {
  const blocks = '▁▂▃▄▅▆▇█';
  const step = Math.max(1, values.length / cells);
  const picked = Array.from(
    { length: Math.min(cells, values.length) },
    (_, cell) => values[Math.floor(cell * step)] ?? 0,
  );
  const low = Math.min(...picked);
  const span = Math.max(...picked) - low || 1;
  return picked.map((value) => blocks[Math.round(((value - low) / span) * (blocks.length - 1))]).join('');
}

/** @returns `12,345` */
export function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
