import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { RpcError } from '../../../../../deploy/local/grpc.ts';
import type { OpenDatabase } from '../../../../../deploy/local/spanner/engine/catalog.ts';
import { ReadSet } from '../../../../../deploy/local/spanner/engine/read-set.ts';
import type { ReadWriteTransaction } from '../../../../../deploy/local/spanner/engine/transactions.ts';
import type { WireMutation } from '../../../../../deploy/local/spanner/engine/wire-mutation.ts';
import { keys, openDatabase, read, remove, write } from '../open-database.ts';

const KEY_COUNT = 3;
const SCHEMA = [
  'CREATE TABLE T (K INT64 NOT NULL, G INT64, V STRING(MAX)) PRIMARY KEY (K)',
  'CREATE INDEX ByG ON T (G)',
];

type Step =
  | { readonly kind: 'read' | 'write' | 'delete'; readonly key: number }
  | { readonly kind: 'scan' | 'scan-index' | 'first' };

/** What one transaction saw, and what it wrote if it committed. */
interface Execution {
  readonly steps: readonly Step[];
  readonly reads: string[];
  readonly writes: [key: number, value: string | undefined][];
  committed: boolean;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('read' as const, 'write' as const, 'delete' as const),
    key: fc.integer({ min: 0, max: KEY_COUNT - 1 }),
  }),
  fc.record({ kind: fc.constantFrom('scan' as const, 'scan-index' as const, 'first' as const) }),
);
const history = fc.record({
  programs: fc.array(fc.array(step, { minLength: 1, maxLength: 4, size: 'max' }), {
    minLength: 2,
    maxLength: 5,
    size: 'max',
  }),
  schedule: fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
});

test('commits are serializable: every history equals some serial order', async () => {
  await fc.assert(fc.asyncProperty(history, isSerializable), { numRuns: 400 });
});

test('commits are serializable only because reads are validated: without that, histories are found that no order explains', async (t) => {
  t.mock.method(ReadSet.prototype, 'changedSince', () => false);
  const outcome = await fc.check(fc.asyncProperty(history, isSerializable), { numRuns: 2000, endOnFailure: true });
  assert.match(String(outcome.errorInstance), /returning false/);
  assert.ok(outcome.failed);
});

test('commits are serializable only because ranges are validated too, where a row was read that is not there', async (t) => {
  const add = ReadSet.prototype.add;
  // A validator that forgets everything but single keys lets phantoms through.
  t.mock.method(ReadSet.prototype, 'add', function (this: ReadSet, ...args: Parameters<ReadSet['add']>) {
    const [store, range] = args;
    return range.to === '\xff' ? { to: range.to } : add.call(this, store, range);
  });
  const outcome = await fc.check(fc.asyncProperty(history, isSerializable), { numRuns: 4000, endOnFailure: true });
  assert.match(String(outcome.errorInstance), /returning false/);
  assert.ok(outcome.failed);
});

async function isSerializable({ programs, schedule }: { programs: Step[][]; schedule: number[] }): Promise<boolean> {
  const open = await openDatabase(SCHEMA);
  const executions = programs.map((steps): Execution => ({ steps, reads: [], writes: [], committed: false }));
  await runInterleaved(open, executions, schedule);
  const committed = executions.filter((execution) => execution.committed);
  const final = scan(
    new Map(read(open.database, { table: 'T', columns: ['K', 'V'] }).map(([k, v]) => [Number(k), String(v)])),
  );
  return permutations(committed).some((order) => explains(order, final));
}

/** Runs a step of some transaction at a time, as the schedule says. */
async function runInterleaved(open: OpenDatabase, executions: Execution[], schedule: readonly number[]): Promise<void> {
  const running = executions.map((execution, number) => ({
    execution,
    number,
    at: 0,
    transaction: open.transactions.begin('s'),
    mutations: [] as WireMutation[],
  }));
  for (let turn = 0; running.length > 0; turn++) {
    const chosen = running[(schedule[turn % schedule.length] ?? 0) % running.length];
    if (!chosen) break;
    const next = chosen.execution.steps[chosen.at];
    chosen.at += 1;
    if (next) {
      runStep(open, chosen, next);
      continue;
    }
    running.splice(running.indexOf(chosen), 1);
    chosen.execution.committed = await tryCommit(open, chosen.transaction, chosen.mutations);
  }
}

function runStep(
  { database, transactions }: OpenDatabase,
  run: { execution: Execution; number: number; transaction: ReadWriteTransaction; mutations: WireMutation[] },
  { kind, ...rest }: Step,
): void {
  const key = 'key' in rest ? rest.key : 0;
  const { execution, mutations, transaction } = run;
  if (kind === 'write') {
    const value = `t${run.number}.${execution.writes.length}`;
    execution.writes.push([key, value]);
    mutations.push(write('insertOrUpdate', 'T', { K: BigInt(key), G: BigInt(key), V: value }));
  } else if (kind === 'delete') {
    execution.writes.push([key, undefined]);
    mutations.push(remove('T', [BigInt(key)]));
  } else {
    const { snapshot } = transactions.viewOf(transaction);
    const spec = {
      table: 'T',
      columns: ['K', 'V'],
      index: kind === 'scan-index' ? 'ByG' : '',
      limit: kind === 'first' ? 1 : 0,
      keySet: kind === 'read' ? keys([BigInt(key)]) : { all: true },
    };
    // The index does not store V: its rows are told by their keys alone.
    if (kind === 'scan-index') spec.columns = ['K'];
    const rows = read(database, spec, { timestamp: snapshot, readSet: transaction.readSet });
    execution.reads.push(rows.map((row) => row.join('=')).join(' '));
  }
}

async function tryCommit(
  open: OpenDatabase,
  transaction: ReadWriteTransaction,
  mutations: WireMutation[],
): Promise<boolean> {
  try {
    await open.transactions.commit(transaction.id, 's', mutations);
    return true;
  } catch (error) {
    assert.ok(error instanceof RpcError && error.code === status.ABORTED && error.retryDelayMs !== undefined);
    return false;
  }
}

/** Whether running the transactions one after the other gives the same reads and the same end. */
function explains(order: readonly Execution[], final: string): boolean {
  const rows = new Map<number, string>();
  for (const { steps, reads, writes } of order) {
    const seen = [...reads];
    for (const { kind, ...rest } of steps) {
      if (kind === 'write' || kind === 'delete') continue;
      const key = 'key' in rest ? rest.key : -1;
      const all = scan(rows).split(' ');
      const view = {
        read: rows.has(key) ? `${key}=${rows.get(key)}` : '',
        scan: scan(rows),
        'scan-index': all.map((row) => row.split('=')[0]).join(' '),
        first: all[0],
      }[kind];
      if (seen.shift() !== view) return false;
    }
    for (const [key, value] of writes) {
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  }
  return scan(rows) === final;
}

function scan(rows: ReadonlyMap<number, string>): string {
  return [...rows]
    .sort(([a], [b]) => a - b)
    .map((row) => row.join('='))
    .join(' ');
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}
