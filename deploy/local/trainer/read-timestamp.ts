const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?Z$/;

/**
 * Reads an RFC 3339 timestamp in UTC with up to nine digits after the second.
 *
 * @returns nanoseconds since 1970, or undefined when it is not such a timestamp
 */
export function readTimestampNs(text: string): bigint | undefined {
  const [, seconds, fraction = ''] = RFC3339.exec(text) ?? [];
  if (seconds === undefined) return undefined;
  const ms = Date.parse(`${seconds}Z`);
  // Date.parse turns February 30 into March 2: such a day is refused, not moved.
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(seconds)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
