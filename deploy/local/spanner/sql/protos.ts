import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import protobuf from 'protobufjs';

/** A decoded or to-be-encoded message; longs are strings, enums their names. */
export type Message = { readonly [field: string]: unknown };

let loaded: protobuf.Root | undefined;

/** Encodes a message of ZetaSQL's local service; field names as in the .proto files. */
export function encodeMessage(type: string, message: Message): Uint8Array {
  const codec = lookup(type);
  return codec.encode(codec.fromObject(message)).finish();
}

/** Decodes a message of ZetaSQL's local service; only fields that were sent appear. */
export function decodeMessage(type: string, bytes: Uint8Array): Message {
  const codec = lookup(type);
  return codec.toObject(codec.decode(bytes), { longs: String, enums: String });
}

function lookup(type: string): protobuf.Type {
  loaded ??= loadProtos();
  return loaded.lookupType(type);
}

function loadProtos(): protobuf.Root {
  const require = createRequire(import.meta.url);
  const zetasql = join(dirname(require.resolve('@fivetrandevelopers/zetasql')), 'zetasql', 'protos');
  const google = dirname(require.resolve('protobufjs/package.json'));
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(target.startsWith('google/') ? google : zetasql, target);
  root.loadSync('local_service.proto', { keepCase: true });
  root.resolveAll();
  return root;
}
