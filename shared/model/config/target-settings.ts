import type { Aggregate, ColumnSource, RouteCondition, Target } from './declaration.ts';
import type { Report } from './finding.ts';
import type { WrittenColumnSource, WrittenPipeline, WrittenRoute } from './schema.ts';
import { parseMs } from './units.ts';

type Path = readonly (string | number)[];
type WrittenTarget = Pick<
  WrittenPipeline,
  'mode' | 'tombstones' | 'columns' | 'guard' | 'groupBy' | 'aggregates' | 'onExists' | 'onMissing'
>;

const DEFAULT_BUCKETS = 64;

/** The tables that a pipeline writes: its own, or those of its routes. */
export function targetsOf(written: WrittenPipeline, path: Path, report: Report): Target[] {
  if (!written.routes) {
    if (written.table === undefined) report(path, 'names no table', 'Add `table`, or `routes` to several');
    if (written.mode === undefined) report(path, 'has no mode', 'Add `mode`, for most `mode: upsert`');
    return [targetSettings(written, written.table ?? '', written.mode ?? 'upsert', { path, report })];
  }
  for (const setting of ['table', 'columns', 'groupBy', 'aggregates', 'guard'] as const) {
    if (written[setting] !== undefined) {
      report([...path, setting], 'is given beside `routes`', 'Move it into the routes that it is for');
    }
  }
  const open = written.routes.findIndex(({ when }) => when === undefined);
  if (open >= 0 && open < written.routes.length - 1) {
    report(
      [...path, 'routes', open],
      'takes every record, so that later routes get none',
      'Give it a `when`, or put it last',
    );
  }
  return written.routes.map((route, at) => {
    const place = { path: [...path, 'routes', at], report };
    const mode = route.mode ?? written.mode;
    if (mode === undefined) report(place.path, 'has no mode', 'Add `mode` here or to the pipeline');
    const shared = { tombstones: written.tombstones, onExists: written.onExists, onMissing: written.onMissing };
    const target = targetSettings({ ...shared, ...route }, route.table, mode ?? 'upsert', place);
    return { ...target, when: conditionOf(route, place) };
  });
}

interface Place {
  readonly path: Path;
  readonly report: Report;
}

function targetSettings(written: WrittenTarget, table: string, mode: Target['mode'], { path, report }: Place): Target {
  const policies = { onExists: 'insert', onMissing: 'update' } as const;
  for (const policy of ['onExists', 'onMissing'] as const) {
    if (written[policy] !== undefined && mode !== policies[policy] && 'table' in written) {
      report(
        [...path, policy],
        `has no meaning in mode \`${mode}\``,
        `Remove it, or set \`mode: ${policies[policy]}\``,
      );
    }
  }
  return {
    when: undefined,
    table,
    mode,
    tombstones: written.tombstones ?? 'delete',
    columns: columnsOf(written.columns, [...path, 'columns'], report),
    guard: written.guard,
    aggregate: aggregateOf(written, mode, path, report),
    onExists: written.onExists ?? 'set-aside',
    onMissing: written.onMissing ?? 'set-aside',
  };
}

function conditionOf({ when }: WrittenRoute, { path, report }: Place): RouteCondition | undefined {
  if (!when) return undefined;
  const place = [...path, 'when'];
  const by = (['field', 'keyField', 'header', 'topic'] as const).filter((kind) => when[kind] !== undefined);
  if (by.length !== 1)
    report(place, `asks ${by.join(' and ') || 'for nothing'}`, 'Ask for one of field, keyField, header, topic');
  if ((when.in === undefined) === (when.matches === undefined)) {
    report(place, 'needs what to compare with', 'Give either `in: […]` or `matches: …`');
  }
  if (when.matches !== undefined && !isPattern(when.matches)) {
    report([...place, 'matches'], `is ${JSON.stringify(when.matches)}`, 'It must be a regular expression');
  }
  return { by: subjectOf(when), in: when.in?.map(String), matches: when.matches };
}

function subjectOf(when: NonNullable<WrittenRoute['when']>): RouteCondition['by'] {
  if (when.field !== undefined) return { kind: 'field', path: when.field };
  if (when.keyField !== undefined) return { kind: 'keyField', path: when.keyField };
  if (when.header !== undefined) return { kind: 'header', name: when.header };
  return { kind: 'topic' };
}

/** Whether a text is a regular expression. */
export function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'u');
    return true;
  } catch {
    return false;
  }
}

function aggregateOf(written: WrittenTarget, mode: Target['mode'], path: Path, report: Report): Aggregate | undefined {
  if (mode !== 'aggregate') {
    for (const setting of ['groupBy', 'aggregates'] as const) {
      if (written[setting])
        report([...path, setting], 'is for mode `aggregate` alone', 'Remove it, or set `mode: aggregate`');
    }
    return undefined;
  }
  if (!written.groupBy || !written.aggregates || Object.keys(written.aggregates).length === 0) {
    report(path, 'has mode `aggregate` without what it needs', 'Add `groupBy` and at least one of `aggregates`');
  }
  for (const setting of ['columns', 'guard'] as const) {
    if (written[setting])
      report([...path, setting], 'has no meaning in mode `aggregate`', 'Use `groupBy` and `aggregates`');
  }
  return {
    groupBy: columnsOf(written.groupBy, [...path, 'groupBy'], report),
    into: Object.entries(written.aggregates ?? {}).map(([column, aggregate]) => {
      const plain = { column, by: undefined };
      if ('sum' in aggregate) return { ...plain, function: 'sum', field: aggregate.sum };
      if ('min' in aggregate) return { ...plain, function: 'min', field: aggregate.min };
      if ('max' in aggregate) return { ...plain, function: 'max', field: aggregate.max };
      if ('count' in aggregate) return { ...plain, function: 'count', field: undefined };
      const by = { column: aggregate.version, field: aggregate.by };
      return 'first' in aggregate
        ? { column, by, function: 'first', field: aggregate.first }
        : { column, by, function: 'last', field: aggregate.last };
    }),
  };
}

const ORIGINS = ['key', 'field', 'keyField', 'header', 'record', 'constant', 'hashOf'] as const;

function columnsOf(
  written: Readonly<Record<string, WrittenColumnSource>> | undefined,
  path: Path,
  report: Report,
): ColumnSource[] {
  return Object.entries(written ?? {}).map(([column, source]) => {
    const at = [...path, column];
    const origins = ORIGINS.filter((kind) => source[kind] !== undefined);
    if (origins.length > 1) report(at, `comes from ${origins.join(' and ')}`, 'Keep one of them');
    if (source.format !== undefined && source.as === undefined) {
      report([...at, 'format'], 'needs to know what it reads', 'Add `as: timestamp` or `as: date`');
    }
    if (source.as !== undefined && source.format === undefined) {
      const remedy = 'Add `format: yyyy-MM-dd …`, or leave `as` out where the text is RFC 3339';
      report([...at, 'as'], 'needs a pattern', remedy);
    }
    if (source.buckets !== undefined && source.hashOf === undefined) {
      report([...at, 'buckets'], 'is given without `hashOf`', 'Add `hashOf: […]`, or remove it');
    }
    const windowMs = source.window === undefined ? undefined : parseMs(source.window);
    if (windowMs !== undefined && windowMs < 1) report([...at, 'window'], `is ${source.window}`, 'Give at least 1ms');
    return {
      column,
      from: originOf(column, source),
      format: source.format,
      zone: source.zone,
      bitReverse: source.bitReverse ?? false,
      windowMs,
    };
  });
}

function originOf(column: string, source: WrittenColumnSource): ColumnSource['from'] {
  if (source.key) return { kind: 'key' };
  if (source.header !== undefined) return { kind: 'header', name: source.header };
  if (source.record !== undefined) return { kind: 'record', part: source.record };
  if (source.constant !== undefined) return { kind: 'constant', value: source.constant };
  if (source.keyField !== undefined) return { kind: 'keyField', path: source.keyField };
  if (source.hashOf) return { kind: 'hash', of: source.hashOf, buckets: source.buckets ?? DEFAULT_BUCKETS };
  return { kind: 'field', path: source.field ?? column };
}
