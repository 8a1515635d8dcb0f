import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { localProject } from '../../../deploy/local/project.ts';
import { openSecretVault } from '../../../shared/adapters/secrets/secret-vault.ts';
import { jsonLog } from '../../../shared/base/log.ts';
import { kafkaSink, openRotationStage } from './rotation-stage.ts';

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

async function remember(): Promise<void> {
  const { current = 0 } = (await vault.look(name)).aliases;
  values.push(JSON.parse((await vault.read(name, current)).toString()).password);
}

async function attempt(id: string, kind: 'rotate' | 'back', declaration = stage.declaration): Promise<void> {
  stage.nowMs += 2 * kafkaSink.overlapMs;
  const rotator = stage.openRotator({ log, declaration });
  try {
    await rotator.tick('test');
    const outcome = await rotator.rotate({ secret: name, id, kind, now: false }, 'test');
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
await vault.close();
writeFileSync(process.argv[2] ?? '', JSON.stringify(values));
