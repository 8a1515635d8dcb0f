import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';

const POLL_MS = 40;
const TIMEOUT_MS = 120_000;

/**
 * Waits until a group stands at `rows` or above, over all partitions; the group's offsets follow the commits of both sides.
 *
 * @returns how many rows it stands at
 * @throws {Error} after two minutes without being there, or when `lives` says that nobody works on it any more
 */
export async function reachRows(
  admin: Admin,
  at: { readonly group: string; readonly topic: string; readonly rows: number; readonly lives: () => boolean },
): Promise<number> {
  const { group, topic, rows } = at;
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline && at.lives()) {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const done = found?.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) ?? 0;
    if (done >= rows) return done;
    await sleep(POLL_MS);
  }
  const why = at.lives() ? `within ${TIMEOUT_MS / 1000} s` : 'before its sink ended';
  throw new Error(`Group ${group} did not reach ${rows} rows of ${topic} ${why}`);
}
