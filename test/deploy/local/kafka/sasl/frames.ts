import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

/** A frame as it travels: its length before it. */
export function framed(payload: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(payload.length);
  return Buffer.concat([length, payload]);
}

/** A request of a version with plain headers and no client id. */
export function request(apiKey: number, version: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(10);
  header.writeInt16BE(apiKey, 0);
  header.writeInt16BE(version, 2);
  header.writeInt32BE(1, 4);
  header.writeInt16BE(-1, 8);
  return framed(Buffer.concat([header, body]));
}

export const apiVersionsRequest = request(18, 0);
export const metadataRequest = request(3, 1, Buffer.from([0, 0, 0, 0]));

export function handshakeRequest(mechanism: string, version = 1): Buffer {
  const length = Buffer.alloc(2);
  length.writeInt16BE(mechanism.length);
  return request(17, version, Buffer.concat([length, Buffer.from(mechanism)]));
}

export function authenticateRequest(token: Buffer | string, version = 1): Buffer {
  return request(36, version, framed(Buffer.from(token)));
}

/** What SaslAuthenticate answered, from version 1. */
export function readAuthenticated(answer: Buffer): {
  errorCode: number;
  message: string;
  token: string;
  lifetimeMs: number;
} {
  const errorCode = answer.readInt16BE(0);
  const messageBytes = Math.max(0, answer.readInt16BE(2));
  const tokenBytes = answer.readInt32BE(4 + messageBytes);
  const tokenAt = 8 + messageBytes;
  return {
    errorCode,
    message: answer.toString('utf8', 4, 4 + messageBytes),
    token: answer.toString('utf8', tokenAt, tokenAt + tokenBytes),
    lifetimeMs: Number(answer.readBigInt64BE(tokenAt + tokenBytes)),
  };
}

/**
 * A SCRAM-SHA-256 client's final message, and the server's signature that it expects, written from RFC 5802 alone.
 *
 * @param options.says changes what the final message says before its proof, which is then a proof of that
 */
export function scramFinal(options: {
  user: string;
  password: string;
  nonce: string;
  serverFirst: string;
  says?: (unproved: string) => string;
}): { final: string; serverFinal: string } {
  const [nonce = '', salt = '', iterations = ''] = options.serverFirst.split(',').map((part) => part.slice(2));
  const salted = pbkdf2Sync(options.password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
  const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const clientKey = mac(salted, 'Client Key');
  const unproved = (options.says ?? ((usual) => usual))(`c=biws,r=${nonce}`);
  const message = `n=${options.user},r=${options.nonce},${options.serverFirst},${unproved}`;
  const signature = mac(createHash('sha256').update(clientKey).digest(), message);
  const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)));
  return {
    final: `${unproved},p=${proof.toString('base64')}`,
    serverFinal: `v=${mac(mac(salted, 'Server Key'), message).toString('base64')}`,
  };
}
