import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { openRotator, type Rotator } from '../../../functions/rotate-secrets/open-rotator.ts';
import { RotationLeasedError } from '../../../shared/adapters/spanner/rotations/rotation-store.ts';
import { PenstockError } from '../../../shared/base/errors.ts';
import type { Log } from '../../../shared/base/log.ts';
import type { GuardedAct } from '../../../shared/connect/second-person.ts';
import type { RotatedSecret } from '../../../shared/model/config/declaration.ts';
import { beginRotation } from '../../../shared/model/rotation/begin-rotation.ts';
import type { Rotation } from '../../../shared/model/rotation/rotation.ts';
import type { Output } from '../output.ts';
import { doOwn, openOwnAuthority } from '../own-authority.ts';
import { ownIdentity } from '../own-identity.ts';
import { readConfig } from '../read-config.ts';

const ASK_AGAIN_MS = 1_000;
const WAIT_MS = 120_000;

/** What `penstock rotate` takes. */
export interface RotateOptions {
  readonly config: string;
  readonly secret: string;
  readonly dryRun?: boolean;
  readonly back?: boolean;
  readonly now?: boolean;
  readonly id?: string;
}

/** Rotates a secret, goes on with a rotation that was left, or goes back to the version before. */
export async function rotate(options: RotateOptions, output: Output): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner', 'kafka', 'secrets']);
  const log: Log = (severity, message, fields = {}) => {
    if (fields.audit !== true && severity !== 'DEBUG') output.progress(message);
  };
  const own = await openOwnAuthority(declaration);
  const identity = own?.asker.name ?? (await ownIdentity(process.env));
  const rotator = openRotator({ declaration, log, identity });
  try {
    const request = {
      secret: options.secret,
      id: options.id ?? `asked-${randomUUID()}`,
      kind: options.back ? ('back' as const) : ('rotate' as const),
      now: options.now ?? false,
    };
    if (options.dryRun) {
      own?.require(own.asker, 'view', { type: 'Secret', name: options.secret });
      return await dryRun(rotator, request, declaration.secrets[options.secret], output);
    }
    const work = () => untilFree(() => rotator.rotate(request, identity), output);
    const { rotation, joined } = own
      ? await doOwn(declaration, own, await actOf(request, rotator), work)
      : await work();
    report(rotation, joined, output);
  } finally {
    await rotator.close();
  }
}

/** What policies and a second person see: which version would stand in place of which. */
async function actOf({ secret, kind }: Parameters<Rotator['rotate']>[0], rotator: Rotator): Promise<GuardedAct> {
  const { aliases } = (await rotator.look(secret)).secret;
  const version = (alias: string): string | null => (aliases[alias] === undefined ? null : String(aliases[alias]));
  return {
    action: 'rotate',
    resource: { type: 'Secret', name: secret },
    about: { back: kind === 'back' },
    content: { kind, current: version('current'), next: kind === 'back' ? version('previous') : 'a new version' },
  };
}

/** Another process may be at it, or may have died over it: its lease ends. */
async function untilFree<T>(work: () => Promise<T>, output: Output): Promise<T> {
  const deadline = performance.now() + WAIT_MS;
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RotationLeasedError) || performance.now() > deadline) throw error;
      if (isFirst) output.progress(error.message);
      await delay(ASK_AGAIN_MS);
    }
  }
}

async function dryRun(
  rotator: Rotator,
  request: Parameters<Rotator['rotate']>[0],
  declared: RotatedSecret | undefined,
  output: Output,
): Promise<void> {
  const { secret, rotations } = await rotator.look(request.secret);
  const begun = beginRotation(request, rotations, secret, Date.now());
  const { kind, fromVersion, toVersion, reason, id } = begun.rotation;
  const current = secret.aliases.current ?? 'none';
  const plan = {
    begun: `would make ${kind === 'back' ? `version ${toVersion}` : 'a new version'} current in place of ${current}`,
    known: `would go on with rotation ${id}, at step ${begun.rotation.step}`,
    skipped: `would do nothing: ${reason}`,
    'retire-first': `would first end version ${fromVersion} of rotation ${id}, then make a new version current in place of ${current}`,
  }[begun.outcome];
  output.result(
    { dryRun: true, secret: request.secret, outcome: begun.outcome, strategy: declared?.strategy.kind, plan },
    `${request.secret} (${declared?.strategy.kind}): ${plan}.`,
  );
}

function report(rotation: Rotation, joined: boolean, output: Output): void {
  const { secret, id, step, fromVersion, toVersion, retireAtMs, reason } = rotation;
  if (step === 'failed' || step === 'skipped') {
    throw new PenstockError(`Secret ${secret} was not rotated: ${reason}. What is in use goes on working`, {
      code: step === 'failed' ? 'ROTATION_FAILED' : 'ROTATION_SKIPPED',
      remedy: `Mend that, then: npx penstock rotate ${secret}`,
      retryable: false,
    });
  }
  const until = retireAtMs === undefined ? undefined : new Date(retireAtMs).toISOString();
  const fate = step === 'retire' ? `works on until ${until}` : 'is taken away';
  const old = fromVersion === undefined || !until ? '' : `; version ${fromVersion} ${fate}`;
  const whose = joined ? ` by rotation ${id}, which was under way` : '';
  output.result(
    {
      secret,
      rotation: id,
      step,
      current: toVersion,
      previous: fromVersion,
      ...(step === 'retire' ? { previousUntil: until } : {}),
      joined,
    },
    `${secret}: version ${toVersion} is current${whose}${old}.`,
  );
}
