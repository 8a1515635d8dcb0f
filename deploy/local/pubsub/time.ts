import type protos from '@google-cloud/pubsub-api/build/protos/protos.js';

type Timestamp = protos.google.protobuf.ITimestamp;
type Duration = protos.google.protobuf.IDuration;

export function toTimestamp(ms: number): Timestamp {
  return { seconds: Math.floor(ms / 1000), nanos: Math.round((ms - Math.floor(ms / 1000) * 1000) * 1e6) };
}

export function fromTimestamp(timestamp: Timestamp | null | undefined): number {
  return Number(timestamp?.seconds ?? 0) * 1000 + Math.floor((timestamp?.nanos ?? 0) / 1e6);
}

export function toDuration(ms: number): Duration {
  return toTimestamp(ms);
}

/** Milliseconds; undefined when the field is absent. */
export function fromDuration(duration: Duration | null | undefined): number | undefined {
  return duration ? fromTimestamp(duration) : undefined;
}

/** RFC 3339 as proto3 JSON writes it: no fraction, or three digits. */
export function toRfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
