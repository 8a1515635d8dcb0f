import type { WireValue } from './wire-value.ts';

/** `google.protobuf.ListValue`. */
export interface WireList {
  readonly values?: readonly WireValue[] | null;
}

/** `google.spanner.v1.KeyRange`. */
export interface WireKeyRange {
  readonly startClosed?: WireList | null;
  readonly startOpen?: WireList | null;
  readonly endClosed?: WireList | null;
  readonly endOpen?: WireList | null;
}

/** `google.spanner.v1.KeySet`. */
export interface WireKeySet {
  readonly keys?: readonly WireList[] | null;
  readonly ranges?: readonly WireKeyRange[] | null;
  readonly all?: boolean | null;
}

/** `google.spanner.v1.Mutation.Write`. */
export interface WireWrite {
  readonly table?: string | null;
  readonly columns?: readonly string[] | null;
  readonly values?: readonly WireList[] | null;
}

/** `google.spanner.v1.Mutation`: one of these is set. */
export interface WireMutation {
  readonly insert?: WireWrite | null;
  readonly update?: WireWrite | null;
  readonly insertOrUpdate?: WireWrite | null;
  readonly replace?: WireWrite | null;
  readonly delete?: { readonly table?: string | null; readonly keySet?: WireKeySet | null } | null;
  readonly send?: unknown;
  readonly ack?: unknown;
}
