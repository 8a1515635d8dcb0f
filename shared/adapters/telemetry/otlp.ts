import { type Attributes, type Context, ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { TraceContext } from '../../model/events/records/trace-context.ts';
import { feedMeter } from './feed-meter.ts';
import { openIngestMeter } from './ingest-meter.ts';
import { ingestMetrics } from './ingest-metrics.ts';
import { secretMeter } from './secret-meter.ts';
import type { Telemetry, WorkSpan } from './telemetry.ts';

const SCOPE = 'penstock';
const EXPORT_TIMEOUT_MS = 5_000;
const CLOSE_TIMEOUT_MS = 3_000;

/** Opens the way to an OTLP receiver over HTTP; where it is, its exporters read from the environment. */
export function openOtlp(options: {
  readonly service: string;
  readonly log: Log;
  readonly intervalMs: number;
}): Telemetry {
  const meter = openIngestMeter();
  const named = resourceFromAttributes({ 'service.name': options.service });
  const resource = defaultResource()
    .merge(named)
    .merge(detectResources({ detectors: [envDetector] }));
  const reader = new PeriodicExportingMetricReader({
    exporter: new FiguresExporter({ timeoutMillis: EXPORT_TIMEOUT_MS }),
    exportIntervalMillis: options.intervalMs,
    exportTimeoutMillis: Math.min(options.intervalMs, EXPORT_TIMEOUT_MS),
    metricProducers: [ingestMetrics(meter, SCOPE, resource)],
  });
  const metrics = new MeterProvider({ resource, readers: [reader] });
  const spans = new BatchSpanProcessor(new OTLPTraceExporter({ timeoutMillis: EXPORT_TIMEOUT_MS }));
  const traces = new BasicTracerProvider({ resource, spanProcessors: [spans] });
  const tracer = traces.getTracer(SCOPE);

  const begin = (name: string, context: Context, links: readonly TraceContext[], attributes: Attributes): WorkSpan => {
    const linked = links.map((one) => ({ context: one }));
    const span = tracer.startSpan(name, { attributes, links: linked }, context);
    return workSpan(span, (child) => begin(child, trace.setSpan(context, span), [], {}));
  };
  return {
    meter,
    feed: feedMeter(metrics.getMeter(SCOPE)),
    secret: secretMeter(metrics.getMeter(SCOPE)),
    start(name, origins, attributes) {
      const [only] = origins;
      if (!only || origins.length > 1) return begin(name, ROOT_CONTEXT, origins, attributes);
      return begin(name, trace.setSpanContext(ROOT_CONTEXT, { ...only, isRemote: true }), [], attributes);
    },
    flush: () => settled([metrics.forceFlush({ timeoutMillis: CLOSE_TIMEOUT_MS }), traces.forceFlush()], options.log),
    close: () => settled([metrics.shutdown({ timeoutMillis: CLOSE_TIMEOUT_MS }), traces.shutdown()], options.log),
  };
}

async function settled(sending: readonly Promise<unknown>[], log: Log): Promise<void> {
  const ended = await Promise.race([Promise.allSettled(sending), expired(CLOSE_TIMEOUT_MS)]);
  for (const result of ended ?? []) {
    if (result.status === 'rejected') log('WARNING', `The last figures could not be sent: ${messageOf(result.reason)}`);
  }
}

/** Sends counters as sums since the start; see `temporalityOf`. */
class FiguresExporter extends OTLPMetricExporter {
  override selectAggregationTemporality(kind: InstrumentType): AggregationTemporality {
    return temporalityOf(kind);
  }
}

/** Cumulative, the SDK would tell the last value of what is observed no more for ever: the age of an epoch that has long been read. */
export function temporalityOf(kind: InstrumentType): AggregationTemporality {
  const isGauge = kind === InstrumentType.OBSERVABLE_GAUGE || kind === InstrumentType.GAUGE;
  return isGauge ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
}

function workSpan(span: Span, child: (name: string) => WorkSpan): WorkSpan {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return {
    context: { traceId, spanId, traceFlags },
    child,
    set: (attributes) => void span.setAttributes(attributes),
    end(error) {
      if (error !== undefined) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERROR';
        span.setStatus({ code: SpanStatusCode.ERROR, message: code });
        span.setAttribute('error.type', code);
      }
      span.end();
    },
  };
}

function expired(afterMs: number): Promise<undefined> {
  return new Promise((resolve) => void setTimeout(() => resolve(undefined), afterMs).unref());
}
