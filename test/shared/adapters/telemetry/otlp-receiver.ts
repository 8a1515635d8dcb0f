import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A point of a metric as it arrived; `value` is a number's, the rest a histogram's. */
export interface Point {
  readonly name: string;
  readonly unit: string;
  readonly attributes: Attributes;
  readonly value: number | undefined;
  readonly count: number | undefined;
  readonly sum: number | undefined;
  readonly bucketCounts: readonly number[] | undefined;
}

export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Attributes;
  readonly statusCode: number;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly serviceNames: ReadonlySet<unknown>;
  readonly spans: readonly ReceivedSpan[];
  /** The newest point of each series of a metric. */
  points(metric: string): readonly Point[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** What arrives is checked by the tests that read it. */
type Wire = ReturnType<typeof JSON.parse>;

/** Receives OTLP/JSON over HTTP. Source: opentelemetry.io/docs/specs/otlp/#otlphttp. */
export async function openOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const serviceNames = new Set<unknown>();
  const points = new Map<string, Point>();
  const server = createServer(async (request, response) => {
    const body: Wire = await json(request);
    for (const { resource, scopeMetrics } of body.resourceMetrics ?? []) {
      serviceNames.add(attributesOf(resource.attributes)['service.name']);
      for (const { metrics } of scopeMetrics) {
        for (const metric of metrics) {
          for (const point of pointsOf(metric)) points.set(JSON.stringify([point.name, point.attributes]), point);
        }
      }
    }
    for (const { scopeSpans } of body.resourceSpans ?? []) {
      for (const scope of scopeSpans) spans.push(...scope.spans.map(spanOf));
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    serviceNames,
    spans,
    points: (metric) => [...points.values()].filter(({ name }) => name === metric),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function pointsOf({ name, unit, sum, gauge, histogram }: Wire): Point[] {
  return (sum ?? gauge ?? histogram).dataPoints.map((point: Wire) => ({
    name,
    unit,
    attributes: attributesOf(point.attributes),
    value: point.asDouble ?? (point.asInt === undefined ? undefined : Number(point.asInt)),
    count: point.count === undefined ? undefined : Number(point.count),
    sum: point.sum,
    bucketCounts: point.bucketCounts?.map(Number),
  }));
}

function spanOf({ name, traceId, spanId, parentSpanId, links, attributes, status }: Wire): ReceivedSpan {
  return {
    name,
    traceId,
    spanId,
    parentSpanId: parentSpanId || undefined,
    links: (links ?? []).map((link: Wire) => ({ traceId: link.traceId, spanId: link.spanId })),
    attributes: attributesOf(attributes),
    statusCode: status?.code ?? 0,
  };
}

function attributesOf(list: Wire): Attributes {
  return Object.fromEntries(
    (list ?? []).map(({ key, value }: Wire) => [
      key,
      value.stringValue ?? value.boolValue ?? value.doubleValue ?? Number(value.intValue),
    ]),
  );
}
