import type { KafkaDriver } from '../../shared/adapters/kafka/driver.ts';
import type { IngestMeter } from '../../shared/adapters/telemetry/ingest-meter.ts';
import type { LagWatch } from './watch-lag.ts';

/** Tells the meter which partitions a pipeline holds, and how far each is behind when a batch of it comes. */
export function watchDriver(driver: KafkaDriver, pipeline: string, meter: IngestMeter, lag: LagWatch): KafkaDriver {
  return {
    ...driver,
    subscribe: (options, handlers) =>
      driver.subscribe(options, {
        ...handlers,
        onAssigned(partitions, subscription) {
          meter.holds(pipeline, partitions);
          handlers.onAssigned(partitions, subscription);
        },
        async onBatch(batch) {
          lag.fetched(pipeline, batch);
          await handlers.onBatch(batch);
        },
      }),
  };
}
