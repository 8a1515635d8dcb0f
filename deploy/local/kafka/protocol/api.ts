import { type Codec, type Decoded, type Encodable, struct } from './fields.ts';

type Shape = Parameters<typeof struct>[0];

/** One API of the protocol: the versions that this broker speaks and their two messages. */
export interface Api<Request, Response> {
  readonly key: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  readonly flexibleFrom: number;
  readonly request: Codec<Request, unknown>;
  readonly response: Codec<unknown, Response>;
}

/** The request that an API's handler is given. */
export type RequestOf<A> = A extends Api<infer Request, infer _> ? Request : never;
/** The answer that an API's handler gives. */
export type ResponseOf<A> = A extends Api<infer _, infer Response> ? Response : never;

/**
 * Declares an API.
 *
 * @param options.versions first and last version, both included
 * @param options.flexibleFrom first version with compact lengths and tagged fields
 */
export function api<Q extends Shape, R extends Shape>(options: {
  key: number;
  name: string;
  versions: readonly [number, number];
  flexibleFrom?: number;
  request: Q;
  response: R;
}): Api<Decoded<Q>, Encodable<R>> {
  const { key, name, versions, flexibleFrom = Number.MAX_SAFE_INTEGER } = options;
  const [minVersion, maxVersion] = versions;
  const request = struct(options.request);
  const response = struct(options.response);
  return { key, name, minVersion, maxVersion, flexibleFrom, request, response };
}
