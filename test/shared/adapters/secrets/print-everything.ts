import { inspect } from 'node:util';
import { openSecretCache } from '../../../../shared/adapters/secrets/open-secret-cache.ts';
import { readKeyAndCertificate, readUserAndPassword } from '../../../../shared/adapters/secrets/read-credentials.ts';
import { jsonLog } from '../../../../shared/base/log.ts';
import { openSecretServer, PROJECT } from './secret-server.ts';

/**
 * Leads a secret through everything that can be read, refused and lost, and prints all that it meets: `node print-everything.ts TEXT`,
 * TEXT being the part that must not show.
 */
const text = process.argv[2] ?? '';
let now = 0;
const server = await openSecretServer();
const cache = openSecretCache({ projectId: PROJECT, log: jsonLog('test'), clock: () => now, deadlineMs: 1000 });

async function attempt(what: string, act: () => unknown): Promise<void> {
  try {
    const outcome = await act();
    console.log(what, outcome, String(outcome), JSON.stringify(outcome), inspect(outcome, { showHidden: true }));
  } catch (error) {
    console.log(what, error, inspect(error, { showHidden: true, depth: 9 }));
  }
}

server.rotate('good', JSON.stringify({ username: 'sink', password: text }));
server.rotate('bad', text);
for (const moves of ['first', 'again', 'rotated']) {
  if (moves === 'rotated') server.rotate('good', JSON.stringify({ username: 'sink', password: `${text}2` }));
  await attempt(moves, () => cache.read('good', { fresh: true }));
  await attempt('credentials', async () => readUserAndPassword(await cache.read('good')));
  await attempt('malformed', async () => readUserAndPassword(await cache.read('bad')));
  await attempt('no key', async () => readKeyAndCertificate(await cache.read('good')));
  now += 10 * 60_000;
}
for (const mood of ['damaged', 'unsummed', 'silent'] as const) {
  server.mood = mood;
  now += 10 * 60_000;
  await attempt(mood, () => cache.read('good'));
}
now += 10 * 3_600_000;
await attempt('too old', () => cache.read('good'));
server.mood = 'serve';
server.setState('good', 2, 'DISABLED');
now += 10 * 60_000;
await attempt('refused', () => cache.read('good'));
await cache.close();
await attempt('closed', () => cache.read('good'));
await server.close();
