import type { Declaration, Feed, FeedJoin } from '../config/declaration.ts';
import { columnsOf } from '../config/transform.ts';
import { joinedColumn } from '../epochs/join.ts';
import { wordsOf } from '../sql/check-tokens.ts';
import { quoteName } from '../sql/quote-name.ts';
import { rowUses } from '../sql/row-uses.ts';
import {
  type AccessRequest,
  actionResources,
  type Resource,
  resourceTypes,
  showName,
  writeResource,
} from './access-request.ts';
import { type Asker, foldName, issuerGroup } from './asker.ts';
import { type CedarJson, databaseEntities, type Entity, type EntityId } from './cedar-entity.ts';

/** The functions that have a door, or act by themselves. */
export const functionNames = [
  'kafka-sink',
  'pubsub-sink',
  'plan-epoch',
  'read-shard',
  'follow-changes',
  'bulk-job',
  'rotate-secrets',
  'dashboard',
] as const;

/** Longer than every name that can be declared; nothing longer is given to the engine. */
const MAX_NAME_CHARACTERS = 512;
const MAX_ISSUER_CHARACTERS = 2_048;
const MAX_GROUPS = 1_000;

/** One question for the engine. */
export interface EngineQuestion {
  readonly principal: EntityId;
  readonly action: EntityId;
  readonly resource: EntityId;
  readonly context: Readonly<Record<string, CedarJson>>;
  readonly entities: readonly Entity[];
}

/** The question cannot be one that policies permit: nothing of it is given to the engine. */
export interface Unaskable {
  readonly unaskable: string;
}

/**
 * Makes the engine's question of a request: entities by their declaration, never by what a caller wrote about them.
 *
 * @param asked.door the function that asks, or `penstock`
 * @returns `unaskable` for what is not declared, or too long to be
 */
export function engineQuestion(
  declaration: Declaration,
  { asker, action, resource, circumstances }: AccessRequest,
  { door, nowMs }: { readonly door: string; readonly nowMs: number },
): EngineQuestion | Unaskable {
  const applies: readonly string[] = Object.hasOwn(actionResources, action) ? actionResources[action] : [];
  if (applies.length === 0) return { unaskable: 'there is no such action' };
  if (!applies.includes(resource.type)) {
    return { unaskable: `${action} is done to ${applies.join(', ')}, not to ${resource.type}` };
  }
  if (!isAskable(asker)) return { unaskable: 'who asks has no name that could be in a policy' };
  const resources = resourceEntities(declaration, resource);
  if (resources === undefined) return { unaskable: `${showName(writeResource(resource))} is not declared` };
  const [feed] = circumstances.feed === undefined ? [] : (feedEntities(declaration, circumstances.feed) ?? []);
  const principal = principalEntity(declaration, asker);
  return {
    principal: principal.uid,
    action: { type: 'Action', id: action },
    resource: { type: resource.type, id: resource.name },
    context: {
      now: { __extn: { fn: 'datetime', arg: new Date(Math.floor(nowMs / 1_000) * 1_000).toISOString() } },
      door,
      approved: circumstances.approved,
      all: circumstances.all,
      back: circumstances.back,
      sensitive: circumstances.sensitive,
      ...(feed === undefined ? {} : { feed: reference(feed.uid) }),
      ...(circumstances.act === undefined ? {} : { act: circumstances.act }),
    },
    entities: unique([principal, ...resources, ...(feed === undefined ? [] : [feed])]),
  };
}

/** Whether an entity that a policy names is one that the declaration, or a token, can make. */
export function isKnownEntity(declaration: Declaration, { type, id }: EntityId): boolean {
  if (type === 'Group') return id.includes('#') || Object.hasOwn(declaration.access?.groups ?? {}, id);
  if (type === 'Table') return tableNames(declaration).has(id);
  if (type === 'Person' || type === 'ServiceAccount') return foldName(id) === id;
  if (type === 'Issuer' || type === 'Action') return true;
  const resource = resourceTypes.find((known) => known === type);
  return resource !== undefined && resourceEntities(declaration, { type: resource, name: id }) !== undefined;
}

/** Columns that are marked as sensitive, of one table. */
export function sensitiveColumns(declaration: Pick<Declaration, 'access'>, table: string): readonly string[] {
  const marked = declaration.access?.sensitive ?? {};
  // Spanner's names differ by more than capitals, or not at all.
  return Object.entries(marked).flatMap(([name, columns]) => (isSameName(name, table) ? columns : []));
}

/** Whether a column is marked as sensitive. */
export function isSensitive(declaration: Pick<Declaration, 'access'>, table: string, column: string): boolean {
  return sensitiveColumns(declaration, table).some((name) => isSameName(name, column));
}

/** Every column that a feed's tensors or its choice of rows depend on; `NAME.COLUMN` of a joined table. */
export function feedColumns({ transforms, label, split, weight }: Feed): readonly string[] {
  const named = [
    ...transforms.flatMap(columnsOf),
    ...(label ? [label.column] : []),
    ...(split ? [split.by] : []),
    ...(weight?.kind === 'column' ? [weight.column] : []),
  ];
  return [...new Set(named)];
}

/** The columns that a plan reads, its joined tables' and those that its condition tells something of among them. */
export function columnsRead(
  declaration: Pick<Declaration, 'access'>,
  plan: {
    readonly table: string;
    readonly columns: readonly string[];
    readonly where?: string | undefined;
    /** A query: its own columns are named, and every sensitive column of the tables in it. */
    readonly sql?: string | { readonly text: string } | undefined;
    readonly join?: readonly FeedJoin[] | undefined;
  },
): Resource[] {
  const joins = plan.join ?? [];
  const own = [...plan.columns, ...joins.flatMap(({ on }) => on.map(({ column }) => column))].filter(
    (column) => joinedColumn(column) === undefined,
  );
  const told = toldByCondition(declaration, plan);
  const joined = joins.flatMap(({ name, table, on }) => [
    ...plan.columns.flatMap((column) => {
      const of = joinedColumn(column);
      return of?.join === name ? [`${table}.${of.column}`] : [];
    }),
    ...on.map(({ equals }) => `${table}.${equals}`),
  ]);
  const asked = typeof plan.sql === 'object' ? plan.sql.text : plan.sql;
  const names = [
    ...[...own, ...told].map((column) => `${plan.table}.${column}`),
    ...joined,
    ...(asked === undefined ? [] : toldByQuery(declaration, asked)),
  ];
  return [...new Set(names)].map((name) => ({ type: 'Column', name }));
}

/** The sensitive columns that a condition names; all of the table where it takes a row as a whole (`TO_JSON(Orders)`). */
function toldByCondition(
  declaration: Pick<Declaration, 'access'>,
  { table, where }: { readonly table: string; readonly where?: string | undefined },
): string[] {
  if (where === undefined) return [];
  const words = wordsOf(where);
  const { whole } = rowUses(`SELECT 1 FROM ${quoteName(table)} WHERE ${where}`);
  const isWhole = whole === 'all' || whole.has(table.toLowerCase());
  return sensitiveColumns(declaration, table).filter((column) => isWhole || words.has(column.toLowerCase()));
}

/** All sensitive columns of the tables that a query names: `TO_JSON_STRING(t)` takes a row without naming any. */
function toldByQuery(declaration: Pick<Declaration, 'access'>, sql: string): string[] {
  const words = wordsOf(sql);
  return Object.entries(declaration.access?.sensitive ?? {}).flatMap(([table, columns]) =>
    words.has(table.toLowerCase()) ? columns.map((column) => `${table}.${column}`) : [],
  );
}

/** The sensitive columns that a feed reads, as `Table.Column`. */
export function sensitiveColumnsOf(declaration: Pick<Declaration, 'access'>, feed: Feed): readonly string[] {
  return columnsRead(declaration, { ...feed, columns: feedColumns(feed) }).flatMap(({ name }) => {
    const [table = '', column = ''] = name.split('.');
    return isSensitive(declaration, table, column) ? [name] : [];
  });
}

function isAskable({ name, issuer, groups }: Asker): boolean {
  return (
    name.length > 0 &&
    name.length <= MAX_NAME_CHARACTERS + MAX_ISSUER_CHARACTERS &&
    issuer.length <= MAX_ISSUER_CHARACTERS &&
    groups.length <= MAX_GROUPS
  );
}

function principalEntity({ access }: Declaration, { name, issuer, groups, kind }: Asker): Entity {
  const id = foldName(name);
  const declared = Object.entries(access?.groups ?? {}).flatMap(([group, members]) =>
    members.some((member) => foldName(member) === id) ? [group] : [],
  );
  const named = [...declared, ...groups.map((group) => issuerGroup(issuer, group))];
  return {
    uid: { type: kind === 'service' ? 'ServiceAccount' : 'Person', id },
    attrs: {
      name: id,
      domain: id.includes('#') ? '' : id.slice(id.lastIndexOf('@') + 1),
      issuer: reference({ type: 'Issuer', id: issuer }),
      issuerName: issuer,
    },
    parents: [...new Set(named)].map((group) => ({ type: 'Group', id: group })),
  };
}

/** The resource's entity first, then those that it refers to; undefined when it is not declared. */
function resourceEntities(declaration: Declaration, { type, name }: Resource): Entity[] | undefined {
  if (name.length > MAX_NAME_CHARACTERS) return undefined;
  switch (type) {
    case 'Function':
      return functionNames.some((known) => known === name) ? [bare('Function', name)] : undefined;
    case 'Pipeline':
      return pipelineEntities(declaration, name);
    case 'Feed':
      return feedEntities(declaration, name);
    case 'Secret': {
      const secret = ownValue(declaration.secrets, name);
      const attrs = { strategy: secret?.strategy.kind ?? '' };
      const parents = [{ type: 'Function', id: 'rotate-secrets' }];
      return secret && [{ uid: { type, id: name }, attrs, parents }];
    }
    case 'Column':
      return columnEntities(declaration, name);
    case 'Database':
      return databaseEntities(declaration.spanner.database, name);
  }
}

function pipelineEntities(declaration: Declaration, name: string): Entity[] | undefined {
  const pipeline = ownValue(declaration.pipelines, name);
  if (!pipeline) return undefined;
  const tables = [...new Set(pipeline.targets.map(({ table }) => table))];
  const sensitive = tables.some((table) => sensitiveColumns(declaration, table).length > 0);
  const attrs = { tables: tables.map((table) => reference({ type: 'Table', id: table })), sensitive };
  const sink = pipeline.source.kind === 'kafka' ? 'kafka-sink' : 'pubsub-sink';
  const entity = { uid: { type: 'Pipeline', id: name }, attrs, parents: [{ type: 'Function', id: sink }] };
  return [entity, ...tables.map((table) => bare('Table', table))];
}

function feedEntities(declaration: Declaration, name: string): Entity[] | undefined {
  const feed = ownValue(declaration.feeds, name);
  if (!feed) return undefined;
  const table = { type: 'Table', id: feed.table };
  const sensitive = sensitiveColumnsOf(declaration, feed).length > 0;
  const parents = ['plan-epoch', 'read-shard', 'follow-changes', 'bulk-job'].map((id) => ({ type: 'Function', id }));
  return [
    { uid: { type: 'Feed', id: name }, attrs: { table: reference(table), sensitive }, parents },
    bare('Table', feed.table),
  ];
}

/** Any column of a declared table: which columns a table has, Spanner knows. */
function columnEntities(declaration: Declaration, name: string): Entity[] | undefined {
  const [table = '', column = '', ...rest] = name.split('.');
  if (column === '' || rest.length > 0 || !tableNames(declaration).has(table)) return undefined;
  const uid = { type: 'Table', id: table };
  const sensitive = isSensitive(declaration, table, column);
  const attrs = { table: reference(uid), name: column, sensitive };
  return [{ uid: { type: 'Column', id: name }, attrs, parents: [uid] }, bare('Table', table)];
}

/** Tables that pipelines write and feeds read. */
export function tableNames({ pipelines, feeds }: Pick<Declaration, 'pipelines' | 'feeds'>): Set<string> {
  const written = Object.values(pipelines).flatMap(({ targets }) => targets.map(({ table }) => table));
  const read = Object.values(feeds).flatMap(({ table, join = [] }) => [table, ...join.map((joined) => joined.table)]);
  return new Set([...written, ...read]);
}

function bare(type: string, id: string): Entity {
  return { uid: { type, id }, attrs: {}, parents: [] };
}

function reference({ type, id }: EntityId): CedarJson {
  return { __entity: { type, id } };
}

/** Names come from requests: `constructor` is none that was declared. */
function ownValue<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function unique(entities: readonly Entity[]): Entity[] {
  return [...new Map(entities.map((entity) => [JSON.stringify([entity.uid.type, entity.uid.id]), entity])).values()];
}

function isSameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
