import type { Database, Transaction } from '@google-cloud/spanner';
import type { Clock } from '../../../base/clock.ts';
import { PenstockError } from '../../../base/errors.ts';
import type { Begun } from '../../../model/rotation/begin-rotation.ts';
import { type Rotation, rotationSteps } from '../../../model/rotation/rotation.ts';
import { commitTimestamp, fieldOf, numberOf, textOf, timeOf } from '../epochs/epoch-rows.ts';
import { inTransaction } from '../epochs/in-transaction.ts';

const TABLE = 'PenstockRotations';

/** A rotation as it is written, with who is at it. */
export interface StoredRotation extends Rotation {
  readonly fence: number;
  readonly owner: string | undefined;
  readonly leaseExpiresAtMs: number | undefined;
  readonly requestedBy: string;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
}

/** The right to act for one rotation, until it expires or is renewed by a write. */
export interface RotationLease {
  readonly rotation: Rotation;
  readonly fence: number;
}

/** Another one acts for this rotation now: stop before the next effect. */
export class RotationLostError extends PenstockError {
  constructor({ secret, id }: Rotation, ours: number, theirs: number) {
    super(`Rotation ${id} of ${secret} was taken over: fence ${ours} was overtaken by ${theirs}`, {
      code: 'ROTATION_LOST',
      remedy: 'Nothing to do: the newer one goes on from the same step',
      retryable: true,
    });
  }
}

/** Another one acts for this rotation, and its lease has not expired. */
export class RotationLeasedError extends PenstockError {
  readonly expiresAtMs: number;

  constructor(secret: string, owner: string, expiresAtMs: number) {
    super(
      `Secret ${secret} is being rotated by ${owner}, whose lease lasts until ${new Date(expiresAtMs).toISOString()}`,
      {
        code: 'ROTATION_LEASED',
        remedy: 'Ask again: what it leaves undone is gone on with then',
        retryable: true,
      },
    );
    this.expiresAtMs = expiresAtMs;
  }
}

/** The rotations in `PenstockRotations`. */
export interface RotationStore {
  /**
   * Writes what comes of a request, in one transaction with the look at all rotations of its secret.
   *
   * @param decide may run several times
   */
  begin(
    request: { readonly secret: string; readonly requestedBy: string },
    decide: (known: readonly Rotation[]) => Promise<Begun>,
  ): Promise<Begun>;
  /** @throws {RotationLeasedError} */
  take(secret: string, id: string): Promise<RotationLease>;
  /**
   * Writes where the rotation stands, and renews the lease.
   *
   * @throws {RotationLostError}
   */
  save(lease: RotationLease, rotation: Rotation): Promise<RotationLease>;
  /** Lets others go on at once; does nothing when the lease is lost already. */
  release(lease: RotationLease): Promise<void>;
  /** All rotations of a secret, oldest first. */
  list(secret: string): Promise<StoredRotation[]>;
}

/**
 * Opens the rotations of a database.
 *
 * @param options.owner names this process to people; two that share a name must not run at once
 * @param options.leaseMs after so long without a write another one may go on
 */
export function openRotationStore(
  database: Database,
  options: { readonly owner: string; readonly leaseMs: number; readonly clock: Clock },
): RotationStore {
  const { owner, leaseMs, clock } = options;
  const until = (ms: number): string => new Date(ms).toISOString();
  return {
    begin: ({ secret, requestedBy }, decide) =>
      inTransaction(database, async (transaction) => {
        const known = await readRotations(transaction, secret);
        const begun = await decide(known);
        for (const rotation of begun.changed) {
          const before = known.find(({ id }) => id === rotation.id);
          // Whoever is at it must see that it was taken out of his hands.
          const more = { Fence: (before?.fence ?? 0) + 1, ...(before ? {} : firstColumns(requestedBy)) };
          transaction.upsert(TABLE, { ...columnsOf(rotation), ...more });
        }
        if (begun.outcome === 'begun') {
          transaction.insert(TABLE, { ...columnsOf(begun.rotation), Fence: 0, ...firstColumns(requestedBy) });
        }
        return begun;
      }),
    take: (secret, id) =>
      inTransaction(database, async (transaction) => {
        const found = (await readRotations(transaction, secret)).find((rotation) => rotation.id === id);
        if (!found) throw unknown(secret, id);
        const expiresAtMs = found.leaseExpiresAtMs ?? 0;
        if (found.owner !== undefined && found.owner !== owner && expiresAtMs > clock()) {
          throw new RotationLeasedError(secret, found.owner, expiresAtMs);
        }
        const fence = found.fence + 1;
        transaction.update(TABLE, {
          Secret: secret,
          RotationId: id,
          Fence: fence,
          LeaseOwner: owner,
          LeaseExpiresAt: until(clock() + leaseMs),
          UpdatedAt: commitTimestamp,
        });
        return { rotation: found, fence };
      }),
    async save(lease, rotation) {
      await changeOwned(database, lease, { ...columnsOf(rotation), LeaseExpiresAt: until(clock() + leaseMs) });
      return { ...lease, rotation };
    },
    async release(lease) {
      const columns = { LeaseOwner: null, LeaseExpiresAt: null, UpdatedAt: commitTimestamp };
      await changeOwned(database, lease, columns).catch((error: unknown) => {
        if (!(error instanceof RotationLostError)) throw error;
      });
    },
    async list(secret) {
      const [rows] = await database.table(TABLE).read({ ...everyRow(secret), json: true });
      return rows.map(rotationOf).sort((a, b) => a.startedAtMs - b.startedAtMs);
    },
  };
}

async function changeOwned(
  database: Database,
  { rotation, fence }: RotationLease,
  columns: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { secret, id } = rotation;
  await inTransaction(database, async (transaction) => {
    const [rows] = await transaction.read(TABLE, { keys: [[secret, id]], columns: ['Fence'], json: true });
    const theirs = numberOf(rows[0], 'Fence');
    if (theirs !== fence) throw new RotationLostError(rotation, fence, theirs);
    transaction.update(TABLE, { Secret: secret, RotationId: id, ...columns });
  });
}

const columns = [
  'Secret',
  'RotationId',
  'Kind',
  'Step',
  'UnderWay',
  'BaseVersion',
  'FromVersion',
  'ToVersion',
  'Fence',
  'LeaseOwner',
  'LeaseExpiresAt',
  'RequestedBy',
  'Reason',
  'StartedAt',
  'UpdatedAt',
  'FinishedAt',
  'RetireAt',
  'DestroyAt',
  'FailedStep',
];

function everyRow(secret: string) {
  return { ranges: [{ startClosed: [secret], endClosed: [secret] }], columns };
}

async function readRotations(transaction: Transaction, secret: string): Promise<StoredRotation[]> {
  const [rows] = await transaction.read(TABLE, { ...everyRow(secret), json: true });
  return rows.map(rotationOf);
}

function firstColumns(requestedBy: string): Readonly<Record<string, unknown>> {
  return { RequestedBy: requestedBy, StartedAt: commitTimestamp };
}

function columnsOf(rotation: Rotation): Record<string, unknown> {
  const time = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    Secret: rotation.secret,
    RotationId: rotation.id,
    Kind: rotation.kind,
    Step: rotation.step,
    UnderWay: rotation.isUnderWay,
    BaseVersion: rotation.baseVersion,
    FromVersion: rotation.fromVersion ?? null,
    ToVersion: rotation.toVersion ?? null,
    Reason: rotation.reason ?? null,
    FinishedAt: time(rotation.finishedAtMs),
    RetireAt: time(rotation.retireAtMs),
    DestroyAt: time(rotation.destroyAtMs),
    FailedStep: rotation.failedStep ?? null,
    UpdatedAt: commitTimestamp,
  };
}

function rotationOf(row: unknown): StoredRotation {
  const optional = (name: string): number | undefined =>
    fieldOf(row, name) === null ? undefined : numberOf(row, name);
  const text = (name: string): string | undefined => textOf(row, name) || undefined;
  const step = rotationSteps.find((known) => known === textOf(row, 'Step'));
  if (!step) throw new Error(`PenstockRotations holds a step ${textOf(row, 'Step')}, which this version does not know`);
  return {
    secret: textOf(row, 'Secret'),
    id: textOf(row, 'RotationId'),
    kind: textOf(row, 'Kind') === 'back' ? 'back' : 'rotate',
    step,
    isUnderWay: fieldOf(row, 'UnderWay') === true,
    baseVersion: numberOf(row, 'BaseVersion'),
    fromVersion: optional('FromVersion'),
    toVersion: optional('ToVersion'),
    finishedAtMs: timeOf(row, 'FinishedAt'),
    retireAtMs: timeOf(row, 'RetireAt'),
    destroyAtMs: timeOf(row, 'DestroyAt'),
    reason: text('Reason'),
    failedStep: rotationSteps.find((known) => known === textOf(row, 'FailedStep')),
    fence: numberOf(row, 'Fence'),
    owner: text('LeaseOwner'),
    leaseExpiresAtMs: timeOf(row, 'LeaseExpiresAt'),
    requestedBy: textOf(row, 'RequestedBy'),
    startedAtMs: timeOf(row, 'StartedAt') ?? 0,
    updatedAtMs: timeOf(row, 'UpdatedAt') ?? 0,
  };
}

function unknown(secret: string, id: string): PenstockError {
  return new PenstockError(`There is no rotation ${JSON.stringify(id)} of secret ${secret}`, {
    code: 'NOT_FOUND',
    remedy: 'Begin one: npx penstock rotate SECRET',
    retryable: false,
  });
}
