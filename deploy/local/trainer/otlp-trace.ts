import { ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { TrainerTrace } from './trace.ts';
import { readTraceparent } from './traceparent.ts';

const TIMEOUT_MS = 3_000;

/**
 * Sends a span `penstock.train.step` for each batch that enters the weights to an OTLP receiver; where it is, the exporter reads from
 * the environment.
 */
export function openOtlpTrace(service: string): TrainerTrace {
  const exporter = new OTLPTraceExporter({ timeoutMillis: TIMEOUT_MS });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('penstock-trainer');
  return {
    step({ shard, sequence, rowCount, traceparent }, { epoch, pass }) {
      const attributes = {
        'penstock.epoch': epoch,
        'penstock.shard': shard,
        'penstock.sequence': sequence,
        'penstock.rows': rowCount,
        'penstock.pass': pass,
      };
      const origin = originOf(traceparent);
      const context = origin === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, origin);
      return tracer.startSpan('penstock.train.step', { attributes }, context);
    },
    async close() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, TIMEOUT_MS).unref());
      await Promise.race([provider.shutdown().catch(() => {}), late]);
    },
  };
}

function originOf(traceparent: string | undefined): SpanContext | undefined {
  const parts = readTraceparent(traceparent);
  if (parts === undefined) return undefined;
  const { traceId, spanId, flags } = parts;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}
