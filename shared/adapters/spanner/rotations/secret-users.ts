import type { Database } from '@google-cloud/spanner';
import { commitTimestampCell } from '../../../model/events/values/cell.ts';
import type { SecretUser } from '../../../model/rotation/last-users.ts';
import type { SpannerChannel } from '../channel.ts';
import { numberOf, textOf, timeOf } from '../epochs/epoch-rows.ts';
import { runTransaction } from '../run-transaction.ts';

const TABLE = 'PenstockSecretUsers';
const COLUMNS = ['Secret', 'Holder', 'Version', 'SeenAt'];
const MAX_HOLDER_CHARACTERS = 256;

/** Which version of a secret a process goes by. */
export interface SecretUse {
  readonly secret: string;
  /** Names the process, and no other one. */
  readonly holder: string;
  readonly version: number;
}

/**
 * Writes which version a process goes by: one row for each secret and process.
 *
 * @throws {StoreUnavailableError}
 */
export async function reportSecretUse(channel: SpannerChannel, { secret, holder, version }: SecretUse): Promise<void> {
  const row = [secret, holder.slice(0, MAX_HOLDER_CHARACTERS), String(version), commitTimestampCell];
  await runTransaction(channel, {
    attempted: `report which version of secret ${secret} is in use`,
    table: TABLE,
    commit: undefined,
    run: async () => {
      return { mutations: [{ operation: 'upsert', table: TABLE, columns: COLUMNS, rows: [row] }], result: undefined };
    },
  });
}

/** Whoever was seen with a secret, however long ago. */
export async function listSecretUsers(database: Database, secret: string): Promise<SecretUser[]> {
  const ranges = [{ startClosed: [secret], endClosed: [secret] }];
  const [rows] = await database.table(TABLE).read({ ranges, columns: COLUMNS, json: true });
  return rows.map((row: unknown) => ({
    holder: textOf(row, 'Holder'),
    version: numberOf(row, 'Version'),
    seenAtMs: timeOf(row, 'SeenAt') ?? 0,
  }));
}
