import protobuf from 'protobufjs';
import type { Cell, SpannerType } from '../values.ts';
import { encodeMessage, type Message } from './protos.ts';
import { readValue } from './value-proto.ts';

/** A decoded zetasql.ValueProto of a known type as a cell. */
export function decodeValueMessage(type: SpannerType, value: Message): Cell {
  const bytes = encodeMessage('zetasql.ValueProto', value);
  return readValue(protobuf.Reader.create(bytes), bytes.length, type);
}
