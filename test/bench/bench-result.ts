import { cpus } from 'node:os';
import { type Spread, spread } from './statistics.ts';

/** What one side's process measured in one round, by name. */
export type Figures = Readonly<Record<string, number>>;

/** One round: both sides, one after the other. */
export interface Round {
  readonly ours: Figures;
  readonly peer: Figures;
}

/** A benchmark's outcome, as `results/NAME.json` holds it. */
export interface BenchResult {
  readonly name: string;
  /** RFC 3339. */
  readonly date: string;
  readonly node: string;
  readonly cpu: string;
  readonly ours: Readonly<Record<string, Spread>>;
  readonly peer: Readonly<Record<string, Spread>>;
  /** Higher is better: how many times better ours is than the peer's, paired by round. */
  readonly ratios: Readonly<Record<string, Spread>>;
}

/** Runs one benchmark. */
export type Bench = (options: {
  readonly rounds: number | undefined;
  /** Also what takes minutes: a long run that shows whether memory grows. */
  readonly long?: boolean;
  /** Also a run that is not counted, with V8's profiler; it keeps a report and a flame graph beside the results. */
  readonly profile?: boolean;
  readonly progress: (line: string) => void;
}) => Promise<BenchResult>;

/**
 * Sums the rounds up.
 *
 * @param ratios makes one round's ratio, by name
 * @param alone figures of ours that were measured outside the rounds, each list in runs of its own
 */
export function benchResult(
  name: string,
  rounds: readonly Round[],
  ratios: Readonly<Record<string, (round: Round) => number>>,
  alone: readonly (readonly Figures[])[] = [],
): BenchResult {
  const [cpu] = cpus();
  return {
    name,
    date: new Date().toISOString(),
    node: process.version,
    cpu: `${cpus().length} × ${cpu?.model.trim() || 'unnamed'}`,
    ours: Object.assign({}, ...[rounds.map(({ ours }) => ours), ...alone].map(spreads)),
    peer: spreads(rounds.map(({ peer }) => peer)),
    ratios: Object.fromEntries(Object.entries(ratios).map(([ratio, of]) => [ratio, spread(rounds.map(of))])),
  };
}

/** How many times more the peer's figure is: for what should be low, as seconds or bytes. */
export function saved(figure: string): (round: Round) => number {
  return ({ ours, peer }) => figureOf(peer, figure) / figureOf(ours, figure);
}

/** How many times more ours is: for what should be high, as rows a second. */
export function gained(figure: string): (round: Round) => number {
  return ({ ours, peer }) => figureOf(ours, figure) / figureOf(peer, figure);
}

/** @throws {RangeError} when the round has no such figure */
export function figureOf(figures: Figures, name: string): number {
  const value = figures[name];
  if (value === undefined) throw new RangeError(`There is no figure ${name} among ${Object.keys(figures).join(', ')}`);
  return value;
}

function spreads(rounds: readonly Figures[]): Record<string, Spread> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, spread(rounds.map((round) => figureOf(round, name)))]));
}

/** The result for people: a line for each figure, then the ratios. */
export function formatResult({ name, node, cpu, ours, peer, ratios }: BenchResult): string {
  const figures = [...new Set([...Object.keys(ours), ...Object.keys(peer)])];
  const rows = [
    ['', 'ours', 'peer'],
    ...figures.map((figure) => [figure, cell(ours[figure]), cell(peer[figure])]),
    ['', '', ''],
    ...Object.entries(ratios).map(([ratio, value]) => [`ratio ${ratio}`, cell(value), '']),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '));
  return `${name}, ${node}, ${cpu}; median (min – max)\n\n${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

function cell(value: Spread | undefined): string {
  return value === undefined ? '–' : `${value.median} (${value.min} – ${value.max})`;
}
