import type { Broker } from '../engine/broker.ts';
import type { Api } from '../protocol/api.ts';
import type { Codec } from '../protocol/fields.ts';
import type { SaslSession } from '../sasl/session.ts';

/** Where clients of a listener find the broker. */
export interface Advertised {
  readonly host: string;
  readonly port: number;
}

/** What a handler may know of its call. */
export interface Call {
  readonly broker: Broker;
  readonly advertised: Advertised;
  readonly session: SaslSession;
  readonly version: number;
  readonly clientId: string;
  readonly clientHost: string;
  /** Aborted when the connection or the broker closes. */
  readonly signal: AbortSignal;
}

/** An API with its handler, their types forgotten so that all can stand in one table. */
export interface Route {
  readonly api: Api<unknown, unknown>;
  readonly response: Codec<unknown, unknown>;
  /** The answer to write; undefined where the client wants none. */
  handle(request: unknown, call: Call): Promise<unknown> | unknown;
}

/** Joins an API and its handler. */
export function route<Request, Response>(
  api: Api<Request, Response>,
  handle: (request: Request, call: Call) => Promise<Response | undefined> | Response | undefined,
): Route {
  return {
    api: api as Api<unknown, unknown>,
    response: api.response as Codec<unknown, unknown>,
    // The request was read by this API's own codec.
    handle: (request, call) => handle(request as Request, call),
  };
}
