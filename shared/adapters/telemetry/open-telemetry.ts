import type { Environment } from '../../base/environment.ts';
import type { Log } from '../../base/log.ts';
import type { Telemetry } from './telemetry.ts';

/**
 * Opens telemetry when OTEL_EXPORTER_OTLP_ENDPOINT names a receiver. Nothing of OpenTelemetry is loaded otherwise.
 *
 * OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, OTEL_METRIC_EXPORT_INTERVAL,
 * OTEL_TRACES_SAMPLER and the like mean what OpenTelemetry's specification says.
 *
 * @param service the function's name, unless OTEL_SERVICE_NAME gives another
 * @returns undefined when no receiver is named
 */
export async function openTelemetry(env: Environment, service: string, log: Log): Promise<Telemetry | undefined> {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_SDK_DISABLED === 'true') return undefined;
  const { openOtlp } = await import('./otlp.ts');
  return openOtlp({ service: env.OTEL_SERVICE_NAME || service, log, intervalMs: intervalMs(env) });
}

const INTERVAL_MS = 60_000;

function intervalMs({ OTEL_METRIC_EXPORT_INTERVAL }: Environment): number {
  const given = Number(OTEL_METRIC_EXPORT_INTERVAL);
  return Number.isFinite(given) && given >= 100 ? given : INTERVAL_MS;
}
