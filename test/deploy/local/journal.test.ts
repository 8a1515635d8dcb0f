import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
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

test('append() leaves no torn frame when the disk is full, and goes on when there is room again', () => {
  const journal = fileURLToPath(new URL('../../../deploy/local/journal.ts', import.meta.url));
  const script = `
    const { openJournal } = await import(${JSON.stringify(journal)});
    const journal = openJournal(${JSON.stringify(join(dir, 'log'))}, () => {});
    let failed = 0;
    for (let at = 0; at < 40 && failed === 0; at++) {
      try { journal.append(Buffer.alloc(300, 'x')); } catch { failed++; }
    }
    journal.append(Buffer.from('small'));
    console.log(failed);
  `;
  // The shell's limit on the size of a file stands for the disk: 4 blocks of at most 1 KiB.
  const command = `ulimit -f 4; exec "$0" --input-type=module -e "$1"`;
  const { stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8' });
  assert.equal(stdout.trim(), '1', stderr);
  const records = recordsOf();
  assert.equal(records.at(-1), 'small');
  assert.ok(
    records.length > 2 && records.slice(0, -1).every((record) => record === 'x'.repeat(300)),
    `${records.length}`,
  );
});
