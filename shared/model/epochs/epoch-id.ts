const MAX_ID_CHARACTERS = 128;
const MAX_KEY_CHARACTERS = 64;

/** What makes two requests for an epoch the same request. */
export interface EpochTick {
  /** The header `X-CloudScheduler-ScheduleTime`, RFC 3339: the same in every retry of one tick. */
  readonly scheduleTime?: string | undefined;
  /** The header `Idempotency-Key`. */
  readonly idempotencyKey?: string | undefined;
  /** Now; names the epoch when neither header is there. */
  readonly nowMs: number;
}

/**
 * Names an epoch `<feed>-<tick>`: the same tick gives the same name, so that it is planned once.
 *
 * @throws {RangeError} for a tick that is no time, or a key that is not of 1 to 64 letters, digits, `.`, `_` or `-`
 */
export function epochId(feed: string, tick: EpochTick): string {
  const id = `${feed}-${tickName(tick)}`;
  if (!isEpochId(id)) {
    throw new RangeError(
      `${JSON.stringify(id)} cannot name an epoch: wanted are up to ${MAX_ID_CHARACTERS} letters, digits, ".", "_" or "-"`,
    );
  }
  return id;
}

/** Whether a text can be an epoch's name: safe in a path, a key and a message. */
export function isEpochId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._~:-]*$/.test(text) && text.length <= MAX_ID_CHARACTERS;
}

function tickName({ scheduleTime, idempotencyKey, nowMs }: EpochTick): string {
  if (scheduleTime !== undefined) return compact(readTime(scheduleTime));
  if (idempotencyKey === undefined) return compact(nowMs);
  if (/^[A-Za-z0-9._-]+$/.test(idempotencyKey) && idempotencyKey.length <= MAX_KEY_CHARACTERS) return idempotencyKey;
  throw new RangeError(
    `Idempotency-Key ${JSON.stringify(idempotencyKey.slice(0, MAX_KEY_CHARACTERS))} is not of 1 to ${MAX_KEY_CHARACTERS} letters, digits, ".", "_" or "-"`,
  );
}

function readTime(text: string): number {
  const ms = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new RangeError(`X-CloudScheduler-ScheduleTime ${JSON.stringify(text)} is not RFC 3339`);
  return ms;
}

/** `20261121T070000Z`, with milliseconds where there are any. */
function compact(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]/g, '').replace('.000', '').replace('.', '');
}
