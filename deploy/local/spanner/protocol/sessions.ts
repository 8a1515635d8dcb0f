import { randomBytes } from 'node:crypto';
import type { google as types } from '@google-cloud/spanner-api/build/protos/protos.js';
import { status } from '@grpc/grpc-js';
import { type Method, RpcError, unary } from '../../grpc.ts';
import type { Catalog, OpenDatabase, Session } from '../engine/catalog.ts';
import { requireRole } from '../engine/privileges.ts';
import { google, spanner, strict } from './messages.ts';
import { toTimestamp } from './timestamps.ts';

const SERVICE = '/google.spanner.v1.Spanner';
const MAX_BATCH = 100;
const MAX_SESSIONS = 10_000;
const IDLE_MS = 3_600_000;

/** The sessions of a server and when each was last used. */
export class Sessions {
  readonly #catalog: Catalog;
  readonly #now: () => number;
  readonly #usedAt = new Map<string, number>();

  constructor(catalog: Catalog, now: () => number) {
    this.#catalog = catalog;
    this.#now = now;
  }

  create(database: string, { multiplexed, role }: Pick<Session, 'multiplexed' | 'role'>): Session {
    requireRole(this.#catalog.database(database).database.stores.schema, role);
    if (this.#catalog.sessions.size >= MAX_SESSIONS) {
      throw new RpcError(status.RESOURCE_EXHAUSTED, `The server holds ${MAX_SESSIONS} sessions: delete some.`);
    }
    const name = `${database}/sessions/${randomBytes(16).toString('base64url')}`;
    this.#catalog.record({ kind: 'session', name, multiplexed, role, createdAt: this.#now() });
    return this.find(name);
  }

  /** A session that exists; NOT_FOUND, worded as clients look for it, if not. */
  find(name: string): Session {
    const session = this.#catalog.sessions.get(name);
    if (!session) throw new RpcError(status.NOT_FOUND, `Session not found: ${name}`);
    this.#usedAt.set(name, this.#now());
    return session;
  }

  /** A session and the database that it belongs to. */
  open(name: string | null | undefined): OpenDatabase & { readonly session: Session } {
    const session = this.find(name ?? '');
    const open = this.#catalog.database(databaseOf(session.name));
    requireRole(open.database.stores.schema, session.role);
    return { session, ...open };
  }

  list(database: string): Session[] {
    this.#catalog.database(database);
    return [...this.#catalog.sessions.values()].filter(
      (session) => !session.multiplexed && databaseOf(session.name) === database,
    );
  }

  delete(name: string): void {
    this.#usedAt.delete(name);
    if (this.#catalog.sessions.has(name)) this.#catalog.record({ kind: 'drop-session', name });
  }

  /** Lets go of sessions that nobody has used for an hour; multiplexed ones stay. */
  expire(): void {
    const idleSince = this.#now() - IDLE_MS;
    for (const { name, multiplexed, createdAt } of this.#catalog.sessions.values()) {
      if (!multiplexed && (this.#usedAt.get(name) ?? createdAt) < idleSince) this.delete(name);
    }
  }

  message(session: Session): types.spanner.v1.ISession {
    const { name, multiplexed, role, createdAt } = session;
    return {
      name,
      multiplexed,
      ...(role !== undefined && { creatorRole: role }),
      createTime: toTimestamp(createdAt * 1000),
      approximateLastUseTime: toTimestamp((this.#usedAt.get(name) ?? createdAt) * 1000),
    };
  }
}

/** The methods that make and unmake sessions. */
export function sessionMethods(sessions: Sessions): Method[] {
  const create = (
    database: string,
    template: types.spanner.v1.ISession | null | undefined,
  ): types.spanner.v1.ISession => {
    const role = template?.creatorRole || undefined;
    return sessions.message(sessions.create(database, { multiplexed: template?.multiplexed ?? false, role }));
  };
  return [
    unary(`${SERVICE}/CreateSession`, strict(spanner.CreateSessionRequest), strict(spanner.Session), (request) =>
      spanner.Session.create(create(request.database, request.session)),
    ),
    unary(
      `${SERVICE}/BatchCreateSessions`,
      strict(spanner.BatchCreateSessionsRequest),
      strict(spanner.BatchCreateSessionsResponse),
      ({ database, sessionCount, sessionTemplate }) => {
        if (sessionCount < 1 || sessionTemplate?.multiplexed) {
          throw new RpcError(
            status.INVALID_ARGUMENT,
            `Cannot create ${sessionCount} sessions: ask for 1 or more plain ones.`,
          );
        }
        const count = Math.min(sessionCount, MAX_BATCH);
        const session = Array.from({ length: count }, () => create(database, sessionTemplate));
        return spanner.BatchCreateSessionsResponse.create({ session });
      },
    ),
    unary(`${SERVICE}/GetSession`, strict(spanner.GetSessionRequest), strict(spanner.Session), ({ name }) =>
      spanner.Session.create(sessions.message(sessions.find(name))),
    ),
    unary(
      `${SERVICE}/ListSessions`,
      strict(spanner.ListSessionsRequest),
      strict(spanner.ListSessionsResponse),
      ({ database, pageSize, pageToken }) => {
        const all = sessions.list(database);
        const from = Number(pageToken || 0);
        const to = pageSize > 0 ? from + pageSize : all.length;
        return spanner.ListSessionsResponse.create({
          sessions: all.slice(from, to).map((session) => sessions.message(session)),
          nextPageToken: to < all.length ? String(to) : '',
        });
      },
    ),
    unary(
      `${SERVICE}/DeleteSession`,
      strict(spanner.DeleteSessionRequest),
      strict(google.protobuf.Empty),
      ({ name }) => {
        sessions.delete(name);
        return google.protobuf.Empty.create();
      },
    ),
  ];
}

function databaseOf(session: string): string {
  return session.slice(0, session.indexOf('/sessions/'));
}
