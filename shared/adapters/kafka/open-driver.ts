import type { Log } from '../../base/log.ts';
import type { KafkaDriver } from './driver.ts';
import type { KafkaAccess } from './kafka-auth.ts';

/** The clients that can stand behind the interface. */
export type DriverName = 'wire' | 'kafkajs' | 'platformatic';

export interface OpenDriverOptions {
  readonly driver: DriverName;
  readonly access: KafkaAccess;
  readonly clientId: string;
  readonly log: Log;
  /** How often topics are looked at for new partitions and new names, in milliseconds. */
  readonly lookEveryMs?: number;
}

/** Opens a Kafka client; the libraries of those that are not asked for are never loaded. */
export async function openKafkaDriver({ driver, ...options }: OpenDriverOptions): Promise<KafkaDriver> {
  switch (driver) {
    case 'wire':
      return (await import('./wire-driver.ts')).openWireDriver(options);
    case 'kafkajs':
      return (await import('./kafkajs-driver.ts')).openKafkajsDriver(options);
    case 'platformatic':
      return (await import('./platformatic/platformatic-driver.ts')).openPlatformaticDriver(options);
  }
}
