import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { type Journal, openJournal } from '../../../deploy/local/journal.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'journal-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function reopen(): { journal: Journal; records: string[] } {
  const records: string[] = [];
  const journal = openJournal(join(dir, 'log'), (record) => records.push(record.toString()));
  return { journal, records };
}

function write(...records: readonly string[]): void {
  const { journal } = reopen();
  for (const record of records) journal.append(Buffer.from(record));
  journal.close();
}

function recordsOf(): string[] {
  const { journal, records } = reopen();
  journal.close();
  return records;
}

test('openJournal() replays what was appended, in order', () => {
  write('one', '', 'three');
  write('four');
  assert.deepEqual(recordsOf(), ['one', '', 'three', 'four']);
});

test('openJournal() cuts a torn last frame wherever it was torn, and appends behind the last whole one', () => {
  write('one', 'two');
  const bytes = readFileSync(join(dir, 'log'));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), (kept) => {
      writeFileSync(join(dir, 'log'), bytes);
      truncateSync(join(dir, 'log'), kept);
      write('after');
      assert.deepEqual(recordsOf(), [...(kept >= 8 + 3 ? ['one'] : []), 'after']);
    }),
  );
});

test('openJournal() drops a frame whose bytes were damaged, and what follows it', () => {
  write('one', 'two', 'three');
  const bytes = readFileSync(join(dir, 'log'));
  bytes[8 + 3 + 8] = 0xff;
  writeFileSync(join(dir, 'log'), bytes);
  assert.deepEqual(recordsOf(), ['one']);
});

test('openJournal() is not misled by a length that reaches past the end', () => {
  write('one');
  appendFileSync(join(dir, 'log'), Buffer.from([0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 1, 2, 3]));
  assert.deepEqual(recordsOf(), ['one']);
});

test('rewrite() replaces all records, and the journal goes on behind them', () => {
  const { journal } = reopen();
  journal.append(Buffer.from('old'));
  journal.rewrite([Buffer.from('new')]);
  journal.append(Buffer.from('next'));
  journal.close();
  assert.deepEqual(recordsOf(), ['new', 'next']);
});
