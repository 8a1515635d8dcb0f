import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('./rotate-and-print.ts', import.meta.url));
/** Every library's own log at its loudest: Google's clients write whole requests there. */
const LOUD = { GOOGLE_SDK_NODE_LOGGING: 'all', GRPC_VERBOSITY: 'DEBUG', GRPC_TRACE: 'all', NODE_DEBUG: 'http2,net' };

test('nothing that a rotation prints holds a value, with every log turned on', { timeout: 170_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'leaks-'));
  try {
    const file = join(dir, 'values.json');
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, file], {
      env: { ...process.env, ...LOUD, METADATA_SERVER_DETECTION: 'none' },
      maxBuffer: 512 * 1024 * 1024,
    });
    const printed = `${stdout}\n${stderr}`;
    const values: string[] = JSON.parse(readFileSync(file, 'utf8'));
    assert.equal(new Set(values).size, 4);
    for (const value of values) {
      const bytes = Buffer.from(value);
      const piece = bytes.subarray(0, 12);
      const forms = [
        value.slice(0, 12),
        piece.toString('hex'),
        [...piece].join(','),
        [...piece].join(', '),
        // Each alignment in which it may lie in a longer document.
        ...[0, 1, 2].map((skip) => bytes.subarray(skip, skip + 9).toString('base64')),
      ];
      for (const form of forms) assert.ok(!printed.includes(form), 'a value shows');
    }
    for (const walked of [
      'secret.add-version',
      'secret.set',
      'secret.revoke',
      'BrokerUnreachableError',
      'of-exporter',
      'of-certificate',
    ]) {
      assert.ok(printed.includes(walked), walked);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
