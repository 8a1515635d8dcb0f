import type { Telemetry } from '../../shared/adapters/telemetry/telemetry.ts';
import { type TraceContext, writeTraceparent } from '../../shared/model/events/records/trace-context.ts';
import type { PlannedEpoch } from './plan-epoch.ts';

/**
 * Plans an epoch as the first piece of its trace.
 *
 * @param asked.origin the trace of whoever asked
 * @param plan is given what the shards' messages carry, so that reading and training go on with the trace
 */
export async function tracePlan(
  telemetry: Telemetry | undefined,
  asked: { readonly feed: string; readonly origin: TraceContext | undefined },
  plan: (traceparent: string | undefined) => Promise<PlannedEpoch>,
): Promise<PlannedEpoch> {
  if (!telemetry) return await plan(undefined);
  const { feed, origin } = asked;
  const span = telemetry.start('penstock.feed.plan', origin ? [origin] : [], { 'penstock.feed': feed });
  try {
    const planned = await plan(writeTraceparent(span.context));
    const { epoch, shards, manifest } = planned;
    span.set({ 'penstock.epoch': epoch, 'penstock.shards': shards.length, 'penstock.rows': manifest.rowCount });
    span.end();
    return planned;
  } catch (error) {
    span.end(error);
    throw error;
  }
}
