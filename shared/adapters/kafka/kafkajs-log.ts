import kafkajs, { type logCreator } from 'kafkajs';
import type { Log, Severity } from '../../base/log.ts';

/**
 * Sends kafkajs' lines into our log, one level more quietly: what it calls an error is mostly an attempt that it repeats,
 * and what we cannot do without, we log ourselves.
 */
export function kafkajsLog(log: Log): logCreator {
  const { logLevel } = kafkajs;
  return () =>
    ({ namespace, level, log: entry }) => {
      const severity: Severity = level === logLevel.ERROR ? 'INFO' : 'DEBUG';
      const { message, error, groupId, topic, partition } = entry;
      log(severity, `kafkajs ${namespace}: ${message}`, { error: String(error ?? ''), groupId, topic, partition });
    };
}
