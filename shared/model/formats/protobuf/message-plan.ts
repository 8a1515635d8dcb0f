import type { JsonValue } from '../../events/values/exact-json.ts';

/** Types of one value, as .proto files name them. */
export type ScalarType =
  | 'double'
  | 'float'
  | 'int32'
  | 'uint32'
  | 'sint32'
  | 'fixed32'
  | 'sfixed32'
  | 'int64'
  | 'uint64'
  | 'sint64'
  | 'fixed64'
  | 'sfixed64'
  | 'bool'
  | 'string'
  | 'bytes';

/** What one value of a field is. */
export type ValuePlan =
  | { readonly kind: 'scalar'; readonly type: ScalarType }
  | { readonly kind: 'enum'; readonly names: ReadonlyMap<number, string> }
  /** `delimited` by tags, as groups are, instead of by a length. */
  | { readonly kind: 'message'; readonly message: MessagePlan; readonly delimited: boolean };

/** One field of a message. */
export interface FieldPlan {
  readonly name: string;
  readonly number: number;
  readonly value: ValuePlan;
  readonly shape: 'one' | 'list' | 'map';
  /** The type of a map's keys. */
  readonly key: ScalarType | undefined;
  /** A record that leaves the field out says nothing about it; else it says `fallback`. */
  readonly hasPresence: boolean;
  readonly required: boolean;
  readonly fallback: JsonValue;
  /** Numbers of the fields that lose their value when this one gets one. */
  readonly rivals: readonly number[];
}

/** A message, ready to be read; recursive ones hold themselves, and are filled while the file is compiled. */
export interface MessagePlan {
  /** With its package, without a leading dot. */
  readonly name: string;
  readonly fields: FieldPlan[];
  readonly byNumber: Map<number, FieldPlan>;
}
