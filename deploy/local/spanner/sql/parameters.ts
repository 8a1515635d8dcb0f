import protobuf from 'protobufjs';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';
import type { FoundParameter } from './analysis.ts';
import type { Message } from './protos.ts';
import { toTypeProto } from './type-proto.ts';
import { writeValue } from './value-proto.ts';
import { parseWireValue, type WireValue } from './wire-value.ts';

/** A query's parameters by name without `@`; without a type, ZetaSQL infers it from the query. */
export type QueryParameters = Readonly<
  Record<string, { readonly type: SpannerType | undefined; readonly value: WireValue }>
>;

export interface BoundParameter {
  readonly name: string;
  readonly type: SpannerType;
  readonly cell: Cell;
}

/** The declared parameters as AnalyzerOptionsProto.query_parameters. */
export function declaredParameters(params: QueryParameters): Message[] {
  return Object.entries(params).flatMap(([name, { type }]) => (type ? [{ name, type: toTypeProto(type) }] : []));
}

/**
 * Gives each parameter of the query a type and reads its value; those that the query does not use are left out.
 *
 * @throws {RpcError} INVALID_ARGUMENT where a value does not fit
 */
export function bindParameters(
  params: QueryParameters,
  found: ReadonlyMap<string, FoundParameter>,
): readonly BoundParameter[] {
  const bound: BoundParameter[] = [];
  for (const [name, { type: declared, value }] of Object.entries(params)) {
    const inferred = found.get(name.toLowerCase());
    if (declared) bound.push({ name, type: declared, cell: named(name, () => parseWireValue(declared, value)) });
    else if (inferred) bound.push({ name, ...named(name, () => bindInferred(inferred, value)) });
  }
  return bound;
}

/** Writes EvaluateQueryRequest.params (field 8), to be appended to the request's bytes. */
export function encodeParameters(bound: readonly BoundParameter[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const { name, type, cell } of bound) {
    writer.uint32((8 << 3) | 2).fork();
    writer.uint32((1 << 3) | 2).string(name);
    writer.uint32((2 << 3) | 2).fork();
    writeValue(writer, type, cell);
    writer.ldelim().ldelim();
  }
  return writer.finish();
}

function bindInferred({ type, guessed }: FoundParameter, value: WireValue): { type: SpannerType; cell: Cell } {
  if (!guessed) return { type, cell: parseWireValue(type, value) };
  // Nothing in the query says a type, so ZetaSQL says INT64; a value that is none tells its own.
  try {
    return { type, cell: parseWireValue(type, value) };
  } catch (error) {
    const own = typeOfValue(value);
    if (!own) throw error;
    return { type: own, cell: parseWireValue(own, value) };
  }
}

function typeOfValue(value: WireValue): SpannerType | undefined {
  if (typeof value === 'boolean') return { code: 'BOOL' };
  if (typeof value === 'number') return { code: 'FLOAT64' };
  return typeof value === 'string' ? { code: 'STRING' } : undefined;
}

function named<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw new RpcError(error.code, `Invalid value for bind parameter ${name}: ${error.message}`, { cause: error });
  }
}
