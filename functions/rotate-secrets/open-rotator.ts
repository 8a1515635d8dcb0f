import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { openSecretVault, type StoredSecret } from '../../shared/adapters/secrets/secret-vault.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import {
  openRotationStore,
  RotationLeasedError,
  type StoredRotation,
} from '../../shared/adapters/spanner/rotations/rotation-store.ts';
import { listSecretUsers } from '../../shared/adapters/spanner/rotations/secret-users.ts';
import type { RotationEnd, SecretMeter } from '../../shared/adapters/telemetry/secret-meter.ts';
import { audit, auditAttempts } from '../../shared/base/audit.ts';
import { type Clock, systemClock } from '../../shared/base/clock.ts';
import { messageOf, PenstockError } from '../../shared/base/errors.ts';
import type { Log } from '../../shared/base/log.ts';
import { openCredentialSources } from '../../shared/connect/credential-sources.ts';
import type { Declaration, RotatedSecret } from '../../shared/model/config/declaration.ts';
import type { RotationRequest } from '../../shared/model/rotation/begin-rotation.ts';
import { alertFailed } from './alerts.ts';
import { openStrategy } from './open-strategy.ts';
import { type RotationOutcome, rotateSecret } from './rotate-secret.ts';
import type { OnEffect, RotationTools } from './run-rotation.ts';
import { lookAtRefused, type OnLook, type TickOutcome, tickSecret } from './tick.ts';

const LEASE_MS = 60_000;

/** Rotates the secrets of a declaration. */
export interface Rotator {
  /** @throws {PenstockError} `NOT_FOUND` for a secret that is not declared, and as `rotateSecret` */
  rotate(request: RotationRequest, requestedBy: string): Promise<RotationOutcome>;
  /** Sees to all secrets that `isAllowed`, one after another; all of them unless given. The others are looked at. */
  tick(requestedBy: string, isAllowed?: (secret: string) => boolean): Promise<TickOutcome[]>;
  /** Where a secret and its rotations stand; nothing is changed. */
  look(secret: string): Promise<{ readonly secret: StoredSecret; readonly rotations: readonly StoredRotation[] }>;
  close(): Promise<void>;
}

/** What a rotator is opened with. */
export interface RotatorOptions {
  readonly declaration: Declaration;
  readonly log: Log;
  /** Whose effects the audit names. */
  readonly identity: string;
  readonly leaseMs?: number;
  readonly clock?: Clock;
  readonly sleep?: (ms: number) => Promise<void>;
  readonly onEffect?: OnEffect;
  readonly meter?: SecretMeter | undefined;
}

/** Opens it; nothing is reached before the first call. */
export function openRotator(options: RotatorOptions): Rotator {
  const { declaration, log, meter } = options;
  const { store, vault, clock, withTools, endOf, close } = openParts(options);
  const onLook: OnLook = (secret, madeAtMs) => meter?.looked(secret, madeAtMs);
  const tickOne = async (secret: RotatedSecret, requestedBy: string): Promise<TickOutcome> => {
    try {
      return await withTools(secret, (tools) => tickSecret(secret, { requestedBy, log, tools, onLook }));
    } catch (error) {
      // What the strategy needs could not be had: an administrator's secret, a certificate.
      alertFailed(log, { secret: secret.name, reason: messageOf(error) });
      endOf(secret)('held-up');
      return { secret: secret.name, rotations: [], error: messageOf(error) };
    }
  };
  const tickRefused = async (secret: RotatedSecret, requestedBy: string): Promise<TickOutcome> => {
    endOf(secret)('refused');
    const refused = `policies do not let ${requestedBy} rotate it`;
    return await lookAtRefused(secret, refused, { log, tools: { store, vault, clock }, onLook });
  };
  return {
    async rotate(request, requestedBy) {
      const secret = declared(declaration, request.secret);
      try {
        return await withTools(secret, (tools) => rotateSecret(request, requestedBy, tools));
      } catch (error) {
        if (!(error instanceof RotationLeasedError)) endOf(secret)('held-up');
        throw error;
      }
    },
    async tick(requestedBy, isAllowed = () => true) {
      const outcomes: TickOutcome[] = [];
      for (const secret of Object.values(declaration.secrets)) {
        const see = isAllowed(secret.name) ? tickOne : tickRefused;
        outcomes.push(await see(secret, requestedBy));
      }
      return outcomes;
    },
    async look(name) {
      const { name: secret } = declared(declaration, name);
      return { secret: await vault.look(secret), rotations: await store.list(secret) };
    },
    close,
  };
}

/** What all rotations share, and what one of them acts with. */
function openParts(options: RotatorOptions) {
  const { declaration, log, identity, clock = systemClock, sleep = (ms) => delay(ms), meter } = options;
  const open = openDatabase(declaration.spanner.database);
  const [, projectId = ''] = declaration.spanner.database.split('/');
  const vault = openSecretVault(projectId);
  const owner = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
  const store = openRotationStore(open.database, { owner, leaseMs: options.leaseMs ?? LEASE_MS, clock });
  const onAttempt = auditAttempts(log, 'secret.read', identity);
  const usersOf = (secret: string) => listSecretUsers(open.database, secret);
  const sources = openCredentialSources({ database: declaration.spanner.database, log, onAttempt });
  const onEffect = audited(options);
  const endOf = (secret: RotatedSecret) => (end: RotationEnd) => meter?.ended(secret.strategy.kind, end);
  return {
    store,
    vault,
    clock,
    endOf,
    async withTools<T>(secret: RotatedSecret, use: (tools: RotationTools) => Promise<T>): Promise<T> {
      const strategy = await openStrategy(secret, { declaration, sources, clock, sleep });
      try {
        return await use({ store, vault, strategy, times: secret, clock, onEffect, usersOf, onEnd: endOf(secret) });
      } finally {
        await strategy.close();
      }
    },
    async close() {
      await Promise.allSettled([vault.close(), sources.close(), open.close()]);
    },
  };
}

function audited({ log, identity, onEffect }: RotatorOptions): OnEffect {
  return (told) => {
    const { rotation, effect, phase, error, despite } = told;
    onEffect?.(told);
    if (phase === 'before') {
      log('INFO', `Rotation ${rotation.id} of ${rotation.secret}: ${effect} begins`, { step: rotation.step, effect });
      if (despite) {
        const { secret, fromVersion: version } = rotation;
        const what = `Version ${version} of secret ${secret} is taken away although it is in use: nobody was waited for any longer`;
        log('WARNING', what, { secret, version, stillUsedBy: despite });
      }
      return;
    }
    audit(log, {
      action: `secret.${effect}`,
      identity,
      resource: rotation.secret,
      outcome: phase === 'after' ? 'done' : 'failed',
      details: {
        rotation: rotation.id,
        effect,
        step: rotation.step,
        from: rotation.fromVersion,
        to: rotation.toVersion,
        ...(error === undefined ? {} : { reason: messageOf(error) }),
        ...(despite === undefined ? {} : { stillUsedBy: despite }),
      },
    });
  };
}

function declared({ secrets }: Declaration, name: string): RotatedSecret {
  const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
  if (secret) return secret;
  throw new PenstockError(`No secret ${JSON.stringify(name)} is declared to rotate`, {
    code: 'NOT_FOUND',
    remedy: `Declare it under secrets:, or name one of: ${Object.keys(secrets).join(', ') || 'none'}`,
    retryable: false,
  });
}
