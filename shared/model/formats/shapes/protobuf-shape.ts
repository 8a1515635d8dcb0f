import type { FieldPlan, MessagePlan, ScalarType, ValuePlan } from '../protobuf/message-plan.ts';
import {
  anyShape,
  boolCodes,
  bytesCodes,
  dateCodes,
  decimalCodes,
  type FieldShape,
  floatCodes,
  scalarShape,
  textCodes,
  timestampCodes,
  type ValueShape,
  wholeCodes,
} from './value-shape.ts';

/** Messages that stand for one value. Source: protobuf.dev, reference, google.protobuf. */
const KNOWN: ReadonlyMap<string, ValueShape> = new Map([
  ['google.protobuf.Timestamp', scalarShape(timestampCodes)],
  ['google.protobuf.Duration', scalarShape(['STRING', 'JSON'])],
  ['google.protobuf.FieldMask', scalarShape(['STRING', 'JSON'])],
  ['google.protobuf.Struct', anyShape],
  ['google.protobuf.ListValue', anyShape],
  ['google.protobuf.Value', anyShape],
  ['google.protobuf.DoubleValue', scalarShape(floatCodes)],
  ['google.protobuf.FloatValue', scalarShape(['FLOAT32', ...floatCodes])],
  ...['Int64', 'UInt64', 'Int32', 'UInt32'].map(
    (type) => [`google.protobuf.${type}Value`, scalarShape(wholeCodes)] as const,
  ),
  ['google.protobuf.BoolValue', scalarShape(boolCodes)],
  ['google.protobuf.StringValue', scalarShape(textCodes)],
  ['google.protobuf.BytesValue', scalarShape(bytesCodes)],
  ['google.type.Date', scalarShape(dateCodes)],
  ['google.type.Decimal', scalarShape(decimalCodes)],
  ['confluent.type.Decimal', scalarShape(decimalCodes)],
]);

/** What a Protobuf message is. */
export function protobufShape(message: MessagePlan): ValueShape {
  const known = KNOWN.get(message.name);
  if (known) return known;
  return {
    kind: 'object',
    names: message.fields.map(({ name }) => name),
    isOpen: false,
    field: (name) => {
      const field = message.fields.find((one) => one.name === name);
      return field && fieldShape(field);
    },
  };
}

function fieldShape({ value, shape, hasPresence, required }: FieldPlan): FieldShape {
  if (shape === 'map') return { shape: anyShape, optional: false };
  const one = valueShape(value);
  if (shape === 'list') return { shape: { kind: 'list', items: one }, optional: false };
  return { shape: one, optional: hasPresence && !required };
}

function valueShape(value: ValuePlan): ValueShape {
  if (value.kind === 'message') return protobufShape(value.message);
  if (value.kind === 'scalar') return scalarShape(codesOf(value.type));
  return scalarShape(textCodes, Math.max(0, ...[...value.names.values()].map(({ length }) => length)));
}

function codesOf(type: ScalarType): Parameters<typeof scalarShape>[0] {
  switch (type) {
    case 'double':
      return floatCodes;
    case 'float':
      return ['FLOAT32', ...floatCodes];
    case 'bool':
      return boolCodes;
    case 'string':
      return textCodes;
    case 'bytes':
      return bytesCodes;
    default:
      return wholeCodes;
  }
}
