import { subscribe } from 'node:diagnostics_channel';

const HEADER = 'grpc-timeout';
const MAX_TIMER_HOURS = 596;
const HOURS_IN: Readonly<Record<string, number>> = { H: 1, M: 1 / 60, S: 1 / 3_600, m: 1 / 3_600_000 };

let isKept = false;

/**
 * Lets this process' gRPC servers take calls that may last longer than a timer can, which is 24 days.
 *
 * `@grpc/grpc-js` counts a call's time in 32 bits and ends it at once where they overflow; Google's Python client gives
 * an ordered publish 27,000 hours. Its own interceptors come too late, so the header is shortened as the stream opens
 * (a channel that Node has from 24.2 on).
 */
export function keepLongDeadlines(): void {
  if (isKept) return;
  isKept = true;
  subscribe('http2.server.stream.created', (message) => {
    if (typeof message !== 'object' || message === null || !('headers' in message)) return;
    const { headers } = message;
    if (typeof headers !== 'object' || headers === null || !(HEADER in headers)) return;
    const found = /^(\d{1,8})([HMSm])$/.exec(String(headers[HEADER]));
    const hours = Number(found?.[1] ?? 0) * (HOURS_IN[found?.[2] ?? ''] ?? 0);
    if (hours > MAX_TIMER_HOURS) headers[HEADER] = `${MAX_TIMER_HOURS}H`;
  });
}
