import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { localProject } from '../../../deploy/local/project.ts';
import { openSecretVault } from '../../../shared/adapters/secrets/secret-vault.ts';
import { jsonLog } from '../../../shared/base/log.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { makeAuthority } from '../../deploy/local/kafka/certificates.ts';
import { kafkaSink, openRotationStage } from './rotation-stage.ts';
import { openAccountKeys, rotatedAccount } from './strategies/account-keys.ts';

/**
 * Rotates a secret, lets a rotation fail and goes back, and prints all that it meets; the values that must not show are written
 * to a file: `node rotate-and-print.ts FILE`.
 */
await using stage = await openRotationStage();
const { name } = kafkaSink;
const log = jsonLog('rotate-secrets');
/** Not by the stage's own client, which writes what it reads into its log. */
const vault = openSecretVault(localProject);
const values: string[] = [];

async function remember(secret = name, field = 'password'): Promise<void> {
  const { current = 0 } = (await vault.look(secret)).aliases;
  const value: string = JSON.parse((await vault.read(secret, current)).toString())[field];
  // All PEMs of a kind begin alike: what is its own stands in the middle.
  if (secret !== name && current === 1) throw new Error(`${secret} was not rotated`);
  values.push(value.split('\n').at(2) ?? value);
}

async function attempt(
  id: string,
  kind: 'rotate' | 'back',
  declaration = stage.declaration,
  secret = name,
): Promise<void> {
  stage.nowMs += 2 * kafkaSink.overlapMs;
  const rotator = stage.openRotator({ log, declaration });
  try {
    await rotator.tick('test');
    const outcome = await rotator.rotate({ secret, id, kind, now: false }, 'test');
    console.log(id, outcome, JSON.stringify(outcome), inspect(rotator, { showHidden: true, depth: 9 }));
  } catch (error) {
    console.log(id, error, inspect(error, { showHidden: true, depth: 9 }));
  }
}

await attempt('first', 'rotate');
await remember();
await attempt('back', 'back');
const kafka = stage.declaration.kafka && { ...stage.declaration.kafka, brokers: ['127.0.0.1:1'] };
await attempt('unreachable', 'rotate', { ...stage.declaration, kafka });
await attempt('unreachable', 'rotate');
await remember();

const accounts = await openAccountKeys();
const authority = makeAuthority();
await stage.addSecret('signer', JSON.stringify({ key: authority.key, cert: authority.ca }));
await stage.addSecret('certificate', JSON.stringify(authority.forClient({ CN: 'sink' })));
const file = JSON.parse((await accounts.strategy().create(undefined)).toString());
await stage.addSecret('exporter', JSON.stringify(file));
const lifetimeMs = 2 * kafkaSink.overlapMs;
const secrets: Declaration['secrets'] = {
  certificate: {
    ...kafkaSink,
    name: 'certificate',
    strategy: { kind: 'tls-certificate', authority: 'signer', subject: 'CN=sink', lifetimeMs },
  },
  exporter: { ...kafkaSink, name: 'exporter', strategy: { kind: 'service-account-key', account: rotatedAccount } },
};
for (const [secret, field] of [
  ['certificate', 'key'],
  ['exporter', 'private_key'],
] as const) {
  await attempt(`of-${secret}`, 'rotate', { ...stage.declaration, secrets }, secret);
  await remember(secret, field);
}
await accounts.close();
await vault.close();
writeFileSync(process.argv[2] ?? '', JSON.stringify(values));
