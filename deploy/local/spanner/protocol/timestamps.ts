import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { toNumber } from './messages.ts';

type ITimestamp = types.protobuf.ITimestamp;
type IDuration = types.protobuf.IDuration;

const MICROS_PER_SECOND = 1_000_000;

/** `google.protobuf.Timestamp` of microseconds since 1970. */
export function toTimestamp(micros: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(micros / MICROS_PER_SECOND);
  return { seconds, nanos: (micros - seconds * MICROS_PER_SECOND) * 1000 };
}

/** Whole microseconds since 1970: commits happen at no finer grain, so that no read sees a difference. */
export function fromTimestamp(timestamp: ITimestamp): number {
  return toNumber(timestamp.seconds) * MICROS_PER_SECOND + Math.floor((timestamp.nanos ?? 0) / 1000);
}

/** Microseconds of a duration. */
export function fromDuration(duration: IDuration): number {
  return fromTimestamp(duration);
}
