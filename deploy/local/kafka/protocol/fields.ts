import { type ByteReader, MalformedError } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

/** Which form of a message is on the wire. */
export interface Wire {
  readonly version: number;
  /** Compact lengths and tagged fields, from an API's first flexible version on. */
  readonly flexible: boolean;
}

/** Reads `Out` from bytes and writes `In` to them; an optional field is absent in some versions. */
export interface Codec<Out, In = Out> {
  read(reader: ByteReader, wire: Wire): Out;
  write(writer: ByteWriter, value: In, wire: Wire): void;
}

/** A field that only some versions carry: reads as its fallback elsewhere, and may be left out when writing. */
export interface VersionedField<Out, In = Out> extends Codec<Out, In> {
  readonly from: number;
  readonly to: number;
  readonly tag: number | undefined;
  readonly fallback: Out & In;
}

type Shape = Readonly<Record<string, Codec<unknown, never>>>;
type VersionedKeys<S> = { [K in keyof S]: S[K] extends { fallback: unknown } ? K : never }[keyof S];
type WrittenBy<C> = C extends { write(writer: ByteWriter, value: infer In, wire: Wire): void } ? In : never;
type ReadBy<C> = C extends { read(reader: ByteReader, wire: Wire): infer Out } ? Out : never;

/** What reading a struct of this shape gives. */
export type Decoded<S> = { readonly [K in keyof S]: ReadBy<S[K]> };
/** What writing a struct of this shape takes. */
export type Encodable<S> = { readonly [K in Exclude<keyof S, VersionedKeys<S>>]: WrittenBy<S[K]> } & {
  readonly [K in VersionedKeys<S>]?: WrittenBy<S[K]> | undefined;
};

export const bool: Codec<boolean> = {
  read: (reader) => reader.int8() !== 0,
  write: (writer, value) => writer.int8(value ? 1 : 0),
};
export const int8: Codec<number> = {
  read: (reader) => reader.int8(),
  write: (writer, value) => writer.int8(value),
};
export const int16: Codec<number> = {
  read: (reader) => reader.int16(),
  write: (writer, value) => writer.int16(value),
};
export const int32: Codec<number> = {
  read: (reader) => reader.int32(),
  write: (writer, value) => writer.int32(value),
};
export const int64: Codec<bigint> = {
  read: (reader) => reader.int64(),
  write: (writer, value) => writer.int64(value),
};
export const float64: Codec<number> = {
  read: (reader) => reader.float64(),
  write: (writer, value) => writer.float64(value),
};

/** A 64-bit offset, timestamp or id as a number: what lies beyond 2^53 reads as ±(2^53 − 1), which no log holds. */
export const long: Codec<number> = {
  read(reader) {
    const value = Number(reader.int64());
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
  },
  write: (writer, value) => writer.int64(BigInt(value)),
};

export const nullableString: Codec<string | null> = {
  read(reader, wire) {
    const length = wire.flexible ? reader.unsignedVarint() - 1 : reader.int16();
    return length < 0 ? null : reader.slice(length).toString('utf8');
  },
  write(writer, value, wire) {
    const bytes = value === null ? null : Buffer.from(value, 'utf8');
    if (wire.flexible) writer.unsignedVarint(bytes === null ? 0 : bytes.length + 1);
    else writer.int16(bytes === null ? -1 : bytes.length);
    if (bytes !== null) writer.raw(bytes);
  },
};
export const string = required(nullableString);

/** A view into the request when read: copy what must outlive it. */
export const nullableBytes: Codec<Buffer | null> = {
  read(reader, wire) {
    const length = wire.flexible ? reader.unsignedVarint() - 1 : reader.int32();
    return length < 0 ? null : reader.slice(length);
  },
  write(writer, value, wire) {
    if (wire.flexible) writer.unsignedVarint(value === null ? 0 : value.length + 1);
    else writer.int32(value === null ? -1 : value.length);
    if (value !== null) writer.raw(value);
  },
};
export const bytes = required(nullableBytes);

/** Bytes that arrive as one view and leave as many pieces, so that stored batches are never joined. */
export const records: Codec<Buffer | null, readonly Buffer[] | null> = {
  read: (reader, wire) => nullableBytes.read(reader, wire),
  write(writer, pieces, wire) {
    const length = pieces === null ? -1 : pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (wire.flexible) writer.unsignedVarint(length + 1);
    else writer.int32(length);
    for (const piece of pieces ?? []) writer.raw(piece);
  },
};

/** 16 bytes, as Kafka's own text form: base64url without padding. */
export const uuid: Codec<string> = {
  read: (reader) => reader.slice(16).toString('base64url'),
  write: (writer, value) => writer.raw(Buffer.from(value, 'base64url')),
};

export function nullableArray<Out, In>(item: Codec<Out, In>): Codec<readonly Out[] | null, readonly In[] | null> {
  return {
    read(reader, wire) {
      const count = wire.flexible ? reader.unsignedVarint() - 1 : reader.int32();
      if (count < 0) return null;
      // Every item takes at least one byte: a larger count is a lie, and is refused before memory is taken for it.
      if (count > reader.remaining) throw new MalformedError(`An array of ${count} items in ${reader.remaining} bytes`);
      const items: Out[] = [];
      for (let at = 0; at < count; at++) items.push(item.read(reader, wire));
      return items;
    },
    write(writer, items, wire) {
      if (wire.flexible) writer.unsignedVarint(items === null ? 0 : items.length + 1);
      else writer.int32(items === null ? -1 : items.length);
      for (const value of items ?? []) item.write(writer, value, wire);
    },
  };
}

export function array<Out, In>(item: Codec<Out, In>): Codec<readonly Out[], readonly In[]> {
  return required(nullableArray(item));
}

/** A field that versions `from` and later carry. */
export function since<Out, In>(from: number, codec: Codec<Out, In>, fallback: Out & In): VersionedField<Out, In> {
  return between(from, Number.MAX_SAFE_INTEGER, codec, fallback);
}

/** A field that versions `from` to `to`, both included, carry. */
export function between<Out, In>(
  from: number,
  to: number,
  codec: Codec<Out, In>,
  fallback: Out & In,
): VersionedField<Out, In> {
  return { read: codec.read, write: codec.write, from, to, tag: undefined, fallback };
}

/** An optional field in the tagged section that versions `from` and later may carry; written when given. */
export function tagged<Out, In>(
  tag: number,
  from: number,
  codec: Codec<Out, In>,
  fallback: Out & In,
): VersionedField<Out, In> {
  return { ...since(from, codec, fallback), tag };
}

/** Fields in the order of their names here, which is their order on the wire. */
export function struct<S extends Shape>(shape: S): Codec<Decoded<S>, Encodable<S>> {
  const fields = Object.entries(shape).map(([name, codec]) => asField(name, codec as unknown as Codec<unknown>));
  return {
    read(reader, wire) {
      const values: Record<string, unknown> = {};
      for (const field of fields) {
        values[field.name] = field.onWire(wire) ? field.codec.read(reader, wire) : field.fallback;
      }
      if (wire.flexible) readTags(reader, wire, fields, values);
      return values as Decoded<S>;
    },
    write(writer, value, wire) {
      const values = value as Readonly<Record<string, unknown>>;
      for (const field of fields) {
        if (field.onWire(wire)) field.codec.write(writer, values[field.name] ?? field.fallback, wire);
      }
      if (wire.flexible) writeTags(writer, wire, fields, values);
    },
  };
}

interface NamedField {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly fallback: unknown;
  readonly tag: number | undefined;
  readonly from: number;
  onWire(wire: Wire): boolean;
}

function asField(name: string, codec: Codec<unknown>): NamedField {
  if (!('fallback' in codec)) {
    return { name, codec, fallback: null, tag: undefined, from: 0, onWire: () => true };
  }
  const { from, to, tag, fallback } = codec as VersionedField<unknown>;
  const onWire = (wire: Wire): boolean => tag === undefined && wire.version >= from && wire.version <= to;
  return { name, codec, fallback, tag, from, onWire };
}

function readTags(
  reader: ByteReader,
  wire: Wire,
  fields: readonly NamedField[],
  values: Record<string, unknown>,
): void {
  const count = reader.unsignedVarint();
  for (let at = 0; at < count; at++) {
    const tag = reader.unsignedVarint();
    const end = reader.unsignedVarint() + reader.position;
    const field = fields.find((candidate) => candidate.tag === tag && wire.version >= candidate.from);
    if (field) values[field.name] = field.codec.read(reader, wire);
    else reader.slice(end - reader.position);
    if (reader.position !== end) throw new MalformedError(`Tagged field ${tag} is not as long as it says`);
  }
}

function writeTags(
  writer: ByteWriter,
  wire: Wire,
  fields: readonly NamedField[],
  values: Readonly<Record<string, unknown>>,
): void {
  const present = fields.filter(
    ({ name, tag, from }) => tag !== undefined && wire.version >= from && values[name] !== undefined,
  );
  writer.unsignedVarint(present.length);
  for (const { name, tag, codec } of present) {
    const body = new ByteWriter();
    codec.write(body, values[name], wire);
    writer.unsignedVarint(tag ?? 0);
    writer.unsignedVarint(body.length);
    for (const chunk of body.chunks()) writer.raw(chunk);
  }
}

function required<Out, In>(codec: Codec<Out | null, In | null>): Codec<Out, In> {
  return {
    read(reader, wire) {
      const value = codec.read(reader, wire);
      if (value === null) throw new MalformedError(`A null where a value is required, before byte ${reader.position}`);
      return value;
    },
    write: (writer, value, wire) => codec.write(writer, value, wire),
  };
}
