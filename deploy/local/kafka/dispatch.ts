import type { Call, Route } from './handlers/route.ts';
import { routes } from './handlers/routes.ts';
import { apiVersions } from './protocol/api-versions.ts';
import { ByteReader, MalformedError } from './protocol/byte-reader.ts';
import { ByteWriter } from './protocol/byte-writer.ts';
import { errorCode } from './protocol/error-code.ts';
import type { Wire } from './protocol/fields.ts';

const byKey = new Map<number, Route>(routes.map((route) => [route.api.key, route]));

/**
 * Answers one request frame.
 *
 * @param frame the request without its length
 * @returns the answer's chunks without their length; undefined where the client wants no answer
 * @throws {MalformedError} the bytes are no request that this broker advertises: close the connection
 */
export async function dispatch(
  frame: Buffer,
  connection: Omit<Call, 'version' | 'clientId'>,
): Promise<ByteWriter | undefined> {
  const reader = new ByteReader(frame);
  const key = reader.int16();
  const version = reader.int16();
  const correlationId = reader.int32();
  connection.session.admit(key);
  const writer = new ByteWriter();
  writer.int32(correlationId);
  if (key === apiVersions.key) {
    if (answerApiVersions(writer, version)) connection.session.versionsAnswered();
    return writer;
  }
  const route = byKey.get(key);
  if (!route) throw new MalformedError(`API ${key} is not served`);
  const { api } = route;
  if (version < api.minVersion || version > api.maxVersion) {
    const range = `${api.minVersion} to ${api.maxVersion}`;
    throw new MalformedError(`${api.name} version ${version} is not served: ${range}, as ApiVersions says`);
  }
  const wire: Wire = { version, flexible: version >= api.flexibleFrom };
  const clientId = readClientId(reader, wire);
  const request = api.request.read(reader, wire);
  const response = await route.handle(request, { ...connection, version, clientId });
  if (response === undefined) return undefined;
  if (wire.flexible) writer.unsignedVarint(0);
  route.response.write(writer, response, wire);
  return writer;
}

/**
 * A version that we do not speak is answered in version 0, which every client can read.
 *
 * @returns whether the version was spoken
 */
function answerApiVersions(writer: ByteWriter, asked: number): boolean {
  const spoken = asked >= apiVersions.minVersion && asked <= apiVersions.maxVersion;
  const version = spoken ? asked : 0;
  const apis = [apiVersions, ...routes.map(({ api }) => api)].sort((one, other) => one.key - other.key);
  const response = {
    errorCode: spoken ? errorCode.none : errorCode.unsupportedVersion,
    apiKeys: apis.map(({ key, minVersion, maxVersion }) => ({ apiKey: key, minVersion, maxVersion })),
  };
  apiVersions.response.write(writer, response, { version, flexible: version >= apiVersions.flexibleFrom });
  return spoken;
}

function readClientId(reader: ByteReader, wire: Wire): string {
  const length = reader.int16();
  const clientId = length < 0 ? '' : reader.slice(length).toString('utf8');
  if (!wire.flexible) return clientId;
  for (let count = reader.unsignedVarint(); count > 0; count--) {
    reader.unsignedVarint();
    reader.slice(reader.unsignedVarint());
  }
  return clientId;
}
