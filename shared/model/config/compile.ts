import { checkCondition } from '../epochs/check-condition.ts';
import type { ReadOptions, Replica } from '../epochs/read-options.ts';
import { accessSettings, type ListBeside } from './access-settings.ts';
import type { Declaration, Feed, KafkaConnection, SchemaRegistry } from './declaration.ts';
import type { Finding, Report } from './finding.ts';
import { joinSettings } from './join-settings.ts';
import { pipelineSettings, type ReadBeside } from './pipeline-settings.ts';
import { rotatedSecret } from './rotated-secret.ts';
import { samplingSettings } from './sampling-settings.ts';
import type { WrittenDeclaration, WrittenFeed, WrittenKafka, WrittenRegistry } from './schema.ts';
import { sourceSettings } from './source-settings.ts';
import { transformSettings } from './transform-settings.ts';
import { parseMs } from './units.ts';
import { usesRegistry } from './uses-registry.ts';

const DEFAULT_BATCH_ROWS = 1024;
const DEFAULT_SHARDS = 8;

/**
 * Resolves units and defaults of a declaration whose shape was checked, and checks what spans several settings.
 *
 * @returns the declaration, which is to be used only when there are no findings
 */
export function compileDeclaration(
  written: WrittenDeclaration,
  readBeside: ReadBeside,
  listBeside: ListBeside = () => undefined,
): { declaration: Declaration; findings: Finding[] } {
  const findings: Finding[] = [];
  const report: Report = (path, message, remedy) => findings.push({ path, message, remedy });
  const pipelines = mapEntries(written.pipelines, (pipeline, name) =>
    pipelineSettings(name, pipeline, { report, readBeside }),
  );
  const feeds = mapEntries(written.feeds, (feed, name) => compileFeed(name, feed, report));
  if (written.kafka === undefined) {
    for (const [name, { source }] of Object.entries(pipelines)) {
      if (source.kind === 'kafka') {
        report(
          ['pipelines', name, 'source'],
          'reads Kafka, but no brokers are declared',
          'Add `kafka: { brokers: … }`',
        );
      }
    }
  }
  if (written.registry === undefined) {
    for (const [name, pipeline] of Object.entries(pipelines)) {
      if (!usesRegistry(pipeline)) continue;
      const remedy = 'Add `registry: { url: … }`, or name a schema file: `schema: { file: … }`';
      report(['pipelines', name, 'format'], 'needs schemas of a registry, but none is declared', remedy);
    }
  }
  const declaration: Declaration = {
    version: 1,
    spanner: written.spanner,
    kafka: written.kafka && kafkaOf(written.kafka),
    registry: written.registry && registryOf(written.registry),
    pipelines,
    feeds,
    secrets: mapEntries(written.secrets, (secret, name) => rotatedSecret(name, secret, { written, report })),
    access: undefined,
  };
  const access = written.access && accessSettings(written.access, declaration, { report, readBeside, listBeside });
  return { declaration: { ...declaration, access }, findings };
}

function kafkaOf({ brokers, driver, tls, auth }: WrittenKafka): KafkaConnection {
  const mechanism = auth?.mechanism ?? 'none';
  return {
    ...brokersOf(brokers),
    driver: driver ?? 'wire',
    tls: tls === undefined ? mechanism === 'mtls' || mechanism === 'oauthbearer' : tls !== false,
    caSecret: typeof tls === 'object' ? tls.ca : undefined,
    auth: auth && authOf(auth),
  };
}

function authOf(auth: NonNullable<WrittenKafka['auth']>): KafkaConnection['auth'] {
  if ('secret' in auth) return auth;
  return auth.mechanism === 'none' ? undefined : { mechanism: auth.mechanism };
}

function registryOf({ url, auth }: WrittenRegistry): SchemaRegistry {
  const at = typeof url === 'string' ? { url: url.replace(/\/+$/, '') } : { url: '', urlSecret: url.secret };
  if (!auth) return { ...at, auth: undefined };
  if ('basic' in auth) return { ...at, auth: { kind: 'basic', secret: auth.basic } };
  if ('bearer' in auth) return { ...at, auth: { kind: 'bearer', secret: auth.bearer } };
  return { ...at, auth: { kind: 'google' } };
}

function brokersOf(brokers: WrittenKafka['brokers']): Pick<KafkaConnection, 'brokers' | 'brokersSecret'> {
  if (typeof brokers === 'object' && 'secret' in brokers) return { brokers: [], brokersSecret: brokers.secret };
  return { brokers: (typeof brokers === 'string' ? brokers.split(',') : brokers).map((broker) => broker.trim()) };
}

function compileFeed(name: string, written: WrittenFeed, report: Report): Feed {
  const path = ['feeds', name];
  if (written.shards !== undefined && written.shardRows !== undefined) {
    report([...path, 'shardRows'], 'is given beside `shards`', 'Keep one of the two');
  }
  const wrong = written.where === undefined ? undefined : checkCondition(written.where);
  if (wrong !== undefined) {
    report([...path, 'where'], wrong, 'Write one condition on the table’s columns, the same whenever it is asked');
  }
  if (Object.keys(written.transforms).length === 0) report([...path, 'transforms'], 'is empty', 'Declare a tensor');
  if (written.label && 'label' in written.transforms) {
    report([...path, 'transforms', 'label'], 'has the name of the label tensor', 'Choose another name');
  }
  if (written.read?.dataBoost && written.sql !== undefined) {
    report(
      [...path, 'read', 'dataBoost'],
      'is given beside `sql`',
      'Data Boost cuts tables, not every query: read it plainly',
    );
  }
  if (written.read?.dataBoost && written.read.replicas) {
    report(
      [...path, 'read', 'replicas'],
      'are given beside `dataBoost`',
      'Data Boost has machines of its own: remove them',
    );
  }
  const join = joinSettings(written, path, report);
  const files = filesSettings(written, path, report);
  return {
    name,
    ...sourceSettings(written, path, report),
    where: written.where,
    read: written.read && readOptions(written.read),
    ...(join.length > 0 && { join }),
    transforms: Object.entries(written.transforms).map(([tensor, transform]) =>
      transformSettings(tensor, transform, { path: [...path, 'transforms', tensor], report }),
    ),
    label: written.label && { column: written.label.column, greaterThan: written.label.greaterThan },
    ...samplingSettings(written, path, report),
    batchRows: written.batchRows ?? DEFAULT_BATCH_ROWS,
    shards: written.shards ?? (written.shardRows === undefined ? DEFAULT_SHARDS : undefined),
    shardRows: written.shardRows,
    seed: written.seed ?? 0,
    schedule:
      written.schedule === undefined ? undefined : { everyMs: parseMs(written.schedule.slice('every '.length)) },
    trainer: written.trainer && {
      url: written.trainer.url.replace(/\/+$/, ''),
      audience: written.trainer.audience ?? written.trainer.url,
      ...(written.trainer.format !== undefined && { format: written.trainer.format }),
    },
    ...(files && { files }),
  };
}

const FILES_URL = /^(?:gs:\/\/[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:\/[^?#]*)?|file:\/\/\/[^?#]*)$/;

function filesSettings({ files, trainer }: WrittenFeed, path: readonly string[], report: Report): Feed['files'] {
  if (files === undefined) return undefined;
  if (trainer)
    report([...path, 'files'], 'is given beside `trainer`', 'Keep one of the two, or declare a feed for each');
  if (!FILES_URL.test(files.url)) {
    const what = `is ${JSON.stringify(files.url)}, neither in Cloud Storage nor a folder`;
    report([...path, 'files', 'url'], what, 'Write gs://BUCKET/PREFIX, or file:///FOLDER');
  }
  return { url: files.url.replace(/\/+$/, ''), format: files.format };
}

function readOptions({ priority, tag, replicas, dataBoost }: NonNullable<WrittenFeed['read']>): ReadOptions {
  const chosen = replicas && 'include' in replicas ? { include: replicas.include.map(replicaOf) } : undefined;
  const left = replicas && 'exclude' in replicas ? { exclude: replicas.exclude.map(replicaOf) } : undefined;
  const directed = chosen ?? left;
  return {
    ...(priority && { priority }),
    ...(tag !== undefined && { tag }),
    ...(directed && { replicas: directed }),
    ...(dataBoost && { dataBoost }),
  };
}

function replicaOf({ location, type }: { location?: string | undefined; type?: Replica['type'] | undefined }): Replica {
  return { ...(location !== undefined && { location }), ...(type && { type }) };
}

function mapEntries<V, W>(
  record: Readonly<Record<string, V>> | undefined,
  map: (value: V, name: string) => W,
): Record<string, W> {
  return Object.fromEntries(Object.entries(record ?? {}).map(([name, value]) => [name, map(value, name)]));
}
