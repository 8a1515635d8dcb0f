import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('./print-everything.ts', import.meta.url));
const SECRET = 'Zq7-correct horse-battery-staple';
/** Every library's own log at its loudest: Google's clients write whole answers there. */
const LOUD = { GOOGLE_SDK_NODE_LOGGING: 'all', GRPC_VERBOSITY: 'DEBUG', GRPC_TRACE: 'all', NODE_DEBUG: 'http2,net' };

test('nothing that is printed holds a secret, with every log turned on', { timeout: 60_000 }, async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, SECRET], {
    env: { ...process.env, ...LOUD, METADATA_SERVER_DETECTION: 'none' },
    maxBuffer: 256 * 1024 * 1024,
  });
  const printed = `${stdout}\n${stderr}`;
  const bytes = Buffer.from(SECRET);
  const piece = bytes.subarray(0, 12);
  const forms = {
    text: SECRET.slice(0, 12),
    base64: piece.toString('base64'),
    // Of a JSON document in which the value lies somewhere: each alignment of three.
    ...Object.fromEntries(
      [1, 2].map((skip) => [`base64 at ${skip}`, bytes.subarray(skip, skip + 9).toString('base64')]),
    ),
    hex: piece.toString('hex'),
    'spaced hex': [...piece].map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
    'JSON bytes': [...piece].join(','),
    'inspected bytes': [...piece].join(', '),
  };
  for (const [form, found] of Object.entries(forms)) assert.ok(!printed.includes(found), `it shows as ${form}`);
  // That the logs were on, and the way was walked to its end.
  assert.match(stderr, /GRPC|grpc-js|load_balancing/i);
  for (const walked of ['credentials UserAndPassword', 'SECRET_MALFORMED', 'SECRET_UNAVAILABLE', 'SECRET_REFUSED']) {
    assert.ok(printed.includes(walked), walked);
  }
});
