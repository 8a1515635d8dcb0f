import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Defence } from './defence.ts';
import { defences } from './defences.ts';

/**
 * Takes each defence away by itself, in a copy of the tree, and demands that its test fails; and, once, that it passes while the
 * defence stands. Exits with 1 where a test notices nothing.
 */
const root = resolve(import.meta.dirname, '../..');
/** Made by a build, or left by a run: no test here needs it. */
const LEFT_OUT = new Set(['node_modules', '.git', 'dist', '.penstock', '.cache']);
/** A test that is over by then, on any machine, or is cut. */
const DEADLINE_MS = 240_000;
const WORKERS = Math.min(2, availableParallelism());

type Outcome = 'passed' | 'failed' | 'not run';

interface Shown {
  readonly defence: Defence;
  readonly whole: Outcome;
  readonly without: Outcome;
}

/** A tree of its own, which shares what is installed. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'penstock-defences-'));
  const isTaken = (path: string) => !LEFT_OUT.has(relative(root, path).split(sep)[0] ?? '');
  cpSync(root, copy, { recursive: true, filter: isTaken });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** `not run` where the test itself neither passed nor failed: what does not even start shows nothing. */
async function runTest(tree: string, { test, name }: Defence): Promise<Outcome> {
  const only = `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const args = ['--test', '--test-reporter=tap', `--test-name-pattern=${only}`, test];
  // A run of tests inside of another would report to that one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd: tree, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  const printed = await text(child.stdout);
  clearTimeout(deadline);
  const lines = printed.split('\n').map((line) => line.trim().replaceAll('\\#', '#'));
  const verdict = lines.find((line) => line.replace(/^(?:not )?ok \d+ - /, '') === name && /^(?:not )?ok /.test(line));
  if (verdict === undefined) return 'not run';
  return verdict.startsWith('ok') ? 'passed' : 'failed';
}

/** The text of a file in which the defence is taken away. */
function withoutDefence(source: string, { id, file, text: stands, without }: Defence): string {
  const parts = source.split(stands);
  if (parts.length !== 2) throw new Error(`${id}: ${file} holds its text ${parts.length - 1} times, not once`);
  return parts.join(without);
}

const wholes = new Map<string, Promise<Outcome>>();
/** The same test stands behind several defences. */
function runWhole(defence: Defence): Promise<Outcome> {
  const key = `${defence.test} ${defence.name}`;
  const known = wholes.get(key) ?? runTest(root, defence);
  wholes.set(key, known);
  return known;
}

async function show(tree: string, defence: Defence): Promise<Shown> {
  const whole = await runWhole(defence);
  const path = join(tree, defence.file);
  const source = readFileSync(path, 'utf8');
  writeFileSync(path, withoutDefence(source, defence));
  try {
    return { defence, whole, without: await runTest(tree, defence) };
  } finally {
    writeFileSync(path, source);
  }
}

const wanted = process.argv.slice(2);
const chosen = defences.filter(({ id }) => wanted.length === 0 || wanted.some((word) => id.includes(word)));
// Before anything runs: a list that is out of date is to be mended first.
for (const defence of chosen) withoutDefence(readFileSync(join(root, defence.file), 'utf8'), defence);
const waiting = [...chosen];
const shown: Shown[] = [];
const startedAt = performance.now();

async function work(): Promise<void> {
  const tree = copyTree();
  try {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await show(tree, next);
      shown.push(result);
      console.log(lineOf(result));
    }
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function isShown({ whole, without }: Shown): boolean {
  return whole === 'passed' && without === 'failed';
}

function lineOf(result: Shown): string {
  const { defence, whole, without } = result;
  const words = `${whole} with it, ${without} without`;
  return `${isShown(result) ? '✔' : '✖'} ${defence.id.padEnd(22)} ${words.padEnd(32)} ${defence.attack}`;
}

await Promise.all(Array.from({ length: WORKERS }, work));
const missed = shown.filter((result) => !isShown(result));
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
console.log(
  `\n${shown.length - missed.length} of ${chosen.length} defences are missed by their tests when they are gone (${seconds} s)`,
);
for (const { defence } of missed) console.log(`✖ ${defence.id}: ${defence.test} — ${defence.name}`);
process.exitCode = missed.length > 0 || chosen.length === 0 ? 1 : 0;
