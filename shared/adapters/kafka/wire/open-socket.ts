import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ClientCertificate, KafkaAccess } from '../kafka-auth.ts';
import { BrokerUnreachableError, KafkaAuthError } from '../kafka-errors.ts';

/** Where a broker listens. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`; an IPv6 address stands in brackets.
 *
 * @throws {RangeError} for anything else
 */
export function brokerAddress(text: string): BrokerAddress {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) throw new RangeError(`${text} is no address of a broker: host:port`);
  return { host, port: Number(port) };
}

/**
 * Connects to a broker; with TLS, its certificate must be one for this host, of an authority that is trusted.
 *
 * @throws {KafkaAuthError} when the certificates do not satisfy us, or ours the broker
 * @throws {BrokerUnreachableError}
 */
export async function openSocket(
  { host, port }: BrokerAddress,
  {
    tls,
    certificate,
    timeoutMs,
    signal,
  }: {
    readonly tls: KafkaAccess['tls'];
    readonly certificate: ClientCertificate | undefined;
    readonly timeoutMs: number;
    /** Ends the connection, made or not. */
    readonly signal: AbortSignal | undefined;
  },
): Promise<Socket> {
  const broker = `${host}:${port}`;
  const socket = tls
    ? connectTls({
        host,
        port,
        ...(isIP(host) ? {} : { servername: host }),
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...certificate,
        minVersion: 'TLSv1.2',
        rejectUnauthorized: true,
      })
    : connectPlain({ host, port });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => socket.destroy(new BrokerUnreachableError(`Broker ${broker} did not answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const abort = (): void => {
    socket.destroy(new BrokerUnreachableError(`The connection to broker ${broker} was closed`));
  };
  signal?.addEventListener('abort', abort);
  socket.once('close', () => signal?.removeEventListener('abort', abort));
  if (signal?.aborted) abort();
  socket.once(tls ? 'secureConnect' : 'connect', resolve);
  socket.once('error', reject);
  socket.once('close', () => reject(new BrokerUnreachableError(`Broker ${broker} closed the connection`)));
  try {
    await promise;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    throw asConnectError(broker, error);
  } finally {
    clearTimeout(timer);
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return socket;
}

function asConnectError(broker: string, error: unknown): Error {
  if (error instanceof BrokerUnreachableError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|ERR_SSL|ERR_OSSL|EPROTO/.test(code);
  if (isCertificate) return new KafkaAuthError(broker, 'TLS failed', error);
  return new BrokerUnreachableError(`Broker ${broker} cannot be reached`, { cause: error });
}
