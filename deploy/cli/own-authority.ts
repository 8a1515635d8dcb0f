import { openApprovalStore } from '../../shared/adapters/spanner/approvals/approval-store.ts';
import { openDatabase } from '../../shared/adapters/spanner/open-database.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { type Authority, openAuthority } from '../../shared/connect/authority.ts';
import { doGuarded, type GuardedAct } from '../../shared/connect/second-person.ts';
import { sensitiveColumns } from '../../shared/model/access/access-entities.ts';
import type { AccessAction, Resource } from '../../shared/model/access/access-request.ts';
import type { Asker } from '../../shared/model/access/asker.ts';
import type { Declaration } from '../../shared/model/config/declaration.ts';
import { ownAsker } from './own-identity.ts';

/** Whoever runs the command, before the declared policies. */
export interface OwnAuthority extends Authority {
  readonly asker: Asker;
}

/**
 * Opens the policies for a command.
 *
 * @returns undefined where none are declared: nobody is asked who they are then
 */
export async function openOwnAuthority(
  declaration: Declaration,
  log = jsonLog('penstock'),
): Promise<OwnAuthority | undefined> {
  if (!declaration.access?.sources) return undefined;
  const authority = await openAuthority(declaration, { door: 'penstock', log });
  return { ...authority, asker: await ownAsker(process.env) };
}

/** How long a request stands where the declaration was compiled by an older version. */
const WITHIN_MS = 3_600_000;

/**
 * Does what policies permit whoever runs the command, at once or, once, with a second person's yes; without policies, just does it.
 *
 * @throws {DeniedError | ApprovalNeededError}
 */
export async function doOwn<T>(
  declaration: Declaration,
  own: OwnAuthority | undefined,
  act: GuardedAct,
  run: () => Promise<T>,
): Promise<T> {
  if (!own) return await run();
  const opened = openDatabase(declaration.spanner.database);
  try {
    const tools = {
      authority: own,
      approvals: openApprovalStore(opened.database),
      log: jsonLog('penstock'),
      withinMs: declaration.access?.approvalWithinMs ?? WITHIN_MS,
    };
    return await doGuarded(own.asker, act, tools, run);
  } finally {
    await opened.close();
  }
}

/**
 * Asks the policies for whoever runs a command, of all that it is about to do, before any of it is done.
 *
 * A second person cannot say yes to it: policies that ask for one deny it.
 *
 * @returns undefined where no policies are declared
 * @throws {DeniedError} naming the first that is not permitted
 */
export async function requireOwn(
  declaration: Declaration,
  asked: readonly (readonly [action: AccessAction, resource: Resource])[],
): Promise<OwnAuthority | undefined> {
  const own = await openOwnAuthority(declaration);
  if (!own) return undefined;
  for (const [action, resource] of asked) own.require(own.asker, action, resource);
  return own;
}

/** @throws {DeniedError} unless policies let whoever runs the command see this feed, or all feeds when it is not declared any more */
export async function requireFeedView(declaration: Declaration, feed: string): Promise<OwnAuthority | undefined> {
  const resource: Resource = Object.hasOwn(declaration.feeds, feed) ? { type: 'Feed', name: feed } : EVERYTHING;
  return await requireOwn(declaration, [['view', resource]]);
}

/**
 * @param pipeline the one that is looked at; undefined for all of them
 * @throws {DeniedError} unless policies let whoever runs the command see them
 */
export async function requirePipelineView(
  declaration: Declaration,
  pipeline: string | undefined,
): Promise<OwnAuthority | undefined> {
  const names = pipeline === undefined ? Object.keys(declaration.pipelines) : [pipeline];
  const resources = names.map((name): Resource => {
    return Object.hasOwn(declaration.pipelines, name) ? { type: 'Pipeline', name } : EVERYTHING;
  });
  return await requireOwn(
    declaration,
    resources.map((resource) => ['view', resource] as const),
  );
}

/** Whether policies let whoever runs the command see every sensitive column of these tables. */
export function mayReadSensitive(
  declaration: Declaration,
  own: OwnAuthority | undefined,
  tables: Iterable<string>,
): boolean {
  const columns = [...new Set(tables)].flatMap((table) =>
    sensitiveColumns(declaration, table).map((column): Resource => ({ type: 'Column', name: `${table}.${column}` })),
  );
  return mayReadColumns(own, columns);
}

/** Whether policies let whoever runs the command see each of these sensitive columns; nobody is let without policies. */
export function mayReadColumns(own: OwnAuthority | undefined, columns: readonly Resource[]): boolean {
  if (!own) return columns.length === 0;
  return columns.every((column) => own.decide(own.asker, 'readColumns', column).allowed);
}

/** What belongs to nothing that is declared is seen by those who see the page. */
const EVERYTHING: Resource = { type: 'Function', name: 'dashboard' };
