import { type DataPoint, MetricReader } from '@opentelemetry/sdk-metrics';

/** Reads a meter when it is asked, and sends nothing. */
export class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}

  /** The values of a metric now, by one of its attributes. */
  async values(metric: string, attribute: string): Promise<Record<string, unknown>> {
    const { resourceMetrics } = await this.collect();
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const points: readonly DataPoint<unknown>[] =
      metrics.find(({ descriptor }) => descriptor.name === metric)?.dataPoints ?? [];
    return Object.fromEntries(points.map(({ attributes, value }) => [String(attributes[attribute]), value]));
  }
}
