import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lockDirectory } from '../../../deploy/local/directory-lock.ts';

const dir = mkdtempSync(join(tmpdir(), 'lock-'));
after(() => rmSync(dir, { recursive: true }));

test('lockDirectory() refuses a directory that a living process holds, and names it', () => {
  const holder = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
  try {
    writeFileSync(join(dir, 'lock'), String(holder.pid));
    assert.throws(() => lockDirectory(dir), new RegExp(`in use by process ${holder.pid}`));
  } finally {
    holder.kill('SIGKILL');
    rmSync(join(dir, 'lock'));
  }
});

test('lockDirectory() takes over the lock of a dead process', () => {
  const { pid } = spawnSync(process.execPath, ['-e', '0']);
  writeFileSync(join(dir, 'lock'), String(pid));
  lockDirectory(dir).release();
  assert.equal(existsSync(join(dir, 'lock')), false);
});

test('release() leaves no lock behind', () => {
  lockDirectory(dir).release();
  lockDirectory(dir).release();
  assert.equal(existsSync(join(dir, 'lock')), false);
});
