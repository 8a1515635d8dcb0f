import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protos } from '@google-cloud/spanner';
import fc from 'fast-check';
import { encodeCommit, encodeMutationKey } from '../../../../shared/adapters/spanner/commit-bytes.ts';
import type { TableMutation } from '../../../../shared/model/events/resolve/change.ts';
import { encodeRow, WireWriter } from '../../../../shared/model/events/row-bytes.ts';
import type { Cell } from '../../../../shared/model/events/values/cell.ts';

const { CommitRequest, Mutation } = protos.google.spanner.v1;

type Value = protos.google.protobuf.IValue;

/** Plain data of a message, as protobufjs itself gives it. */
function plain(bytes: Uint8Array): unknown {
  const decoded = CommitRequest.decode(bytes);
  assert.deepEqual(CommitRequest.verify(decoded), null);
  return CommitRequest.toObject(decoded, { arrays: false, bytes: String, longs: String });
}

/** The same request through the official message classes. */
function official(mutations: readonly TableMutation[], more: object = {}): unknown {
  const request = { session: 's', transactionId: Buffer.from('t'), mutations: mutations.map(mutationOf), ...more };
  return plain(CommitRequest.encode(CommitRequest.fromObject(request)).finish());
}

function mutationOf(mutation: TableMutation): object {
  const { table } = mutation;
  if (mutation.operation === 'delete') return { delete: { table, keySet: { keys: mutation.keys.map(rowOf) } } };
  const write = { table, columns: mutation.columns, values: mutation.rows.map(rowOf) };
  const names = { insert: 'insert', update: 'update', upsert: 'insertOrUpdate', replace: 'replace' };
  return { [names[mutation.operation]]: write };
}

function rowOf(cells: readonly Cell[]): object {
  return { values: cells.map(protoOf) };
}

function protoOf(cell: Cell): Value {
  if (cell === null) return { nullValue: 'NULL_VALUE' };
  if (typeof cell === 'string') return { stringValue: cell };
  if (typeof cell === 'boolean') return { boolValue: cell };
  if (typeof cell === 'number') return Number.isFinite(cell) ? { numberValue: cell } : { stringValue: String(cell) };
  return { listValue: { values: cell.map(protoOf) } };
}

const text = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(127), 'x'.repeat(128), 'é'.repeat(8_200), '', '😀') },
);
const scalar = fc.oneof(text, fc.double(), fc.boolean(), fc.constant(null));
const cell: fc.Arbitrary<Cell> = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(scalar, { maxLength: 20 }) },
  { weight: 1, arbitrary: fc.array(fc.array(scalar, { maxLength: 5 }), { maxLength: 5 }) },
);
const name = fc.string({ minLength: 1, maxLength: 20 });
const rows = fc.array(fc.array(cell, { maxLength: 6 }), { maxLength: 12 });
const mutation: fc.Arbitrary<TableMutation> = fc.oneof(
  fc.record({
    operation: fc.constantFrom('insert', 'update', 'upsert', 'replace'),
    table: name,
    columns: fc.array(name, { maxLength: 5 }),
    rows,
  }),
  fc.record({ operation: fc.constant('delete'), table: name, keys: rows }),
);

test('encodeCommit() writes what the official messages say, for cells of every kind', () => {
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 5 }), (mutations) => {
      const bytes = encodeCommit({ session: 's', transactionId: Buffer.from('t'), mutations });
      assert.deepEqual(plain(bytes), official(mutations));
    }),
    { numRuns: 500 },
  );
});

test('encodeCommit() copies encoded rows from any arenas, in their order, whichever are left out', () => {
  const choice = fc.array(
    fc.record({ cells: fc.array(cell, { maxLength: 4 }), arena: fc.nat(1), taken: fc.boolean() }),
  );
  fc.assert(
    fc.property(choice, (all) => {
      const writers = [new WireWriter(32), new WireWriter(32)];
      const encoded = all.map((item) => ({
        ...item,
        row: encodeRow(writers[item.arena] ?? new WireWriter(), item.cells),
      }));
      const taken = encoded.filter((item) => item.taken);
      const head = { operation: 'upsert', table: 'T', columns: ['A'] } as const;
      const mutations = [
        { ...head, rows: [], encoded: taken.map(({ row }) => row) },
        { operation: 'delete', table: 'U', keys: [['k']] } as const,
      ];
      const bytes = encodeCommit({ session: 's', transactionId: Buffer.from('t'), mutations });
      const cells = [{ ...head, rows: taken.map((item) => item.cells) }, ...mutations.slice(1)];
      assert.deepEqual(plain(bytes), official(cells));
    }),
    { numRuns: 300 },
  );
});

test('encodeCommit() writes every option, and its own buffer is filled to the last byte', () => {
  const token = { precommitToken: Buffer.from('abc'), seqNum: 300 };
  const bytes = encodeCommit({
    session: 's',
    transactionId: Buffer.from('t'),
    mutations: [],
    priority: 'high',
    requestTag: 'r',
    transactionTag: 't',
    maxCommitDelayMs: 1_250,
    precommitToken: protos.google.spanner.v1.MultiplexedSessionPrecommitToken.encode(token).finish(),
    returnCommitStats: true,
  });
  assert.equal(bytes.buffer.byteLength, bytes.length);
  assert.deepEqual(
    plain(bytes),
    official([], {
      returnCommitStats: true,
      requestOptions: { priority: 'PRIORITY_HIGH', requestTag: 'r', transactionTag: 't' },
      maxCommitDelay: { seconds: 1, nanos: 250_000_000 },
      precommitToken: token,
    }),
  );
});

test('encodeCommit() is not troubled by a row that could not be encoded before', () => {
  const broken: unknown = [['x', undefined]];
  const bad = { operation: 'insert', table: 'T', columns: ['A', 'B'], rows: broken as Cell[][] } as const;
  assert.throws(() => encodeCommit({ session: 's', transactionId: Buffer.from('t'), mutations: [bad] }), TypeError);
  const good: TableMutation = { operation: 'delete', table: 'T', keys: [['y']] };
  const bytes = encodeCommit({ session: 's', transactionId: Buffer.from('t'), mutations: [good] });
  assert.deepEqual(plain(bytes), official([good]));
});

test('encodeMutationKey() names one row: of the largest mutation that is no insert, else of the largest', () => {
  const many = { operation: 'insert', table: 'A', columns: ['K'], rows: [['1'], ['2'], ['3']] } as const;
  const two = { operation: 'upsert', table: 'B', columns: ['K'], rows: [['4'], ['5']] } as const;
  const one = { operation: 'delete', table: 'C', keys: [['6']] } as const;
  const keyOf = (mutations: readonly TableMutation[]) =>
    Mutation.toObject(Mutation.decode(encodeMutationKey(mutations)));
  assert.deepEqual(keyOf([many, one, two]), {
    insertOrUpdate: { table: 'B', columns: ['K'], values: [{ values: [{ stringValue: '4' }] }] },
  });
  assert.deepEqual(keyOf([one]), { delete: { table: 'C', keySet: { keys: [{ values: [{ stringValue: '6' }] }] } } });
  assert.equal(keyOf([many]).insert.values.length, 1);
});
