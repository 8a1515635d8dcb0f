import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { serveConnection } from './connection.ts';
import type { Broker } from './engine/broker.ts';
import { type Attempt, type SaslRules, SaslSession } from './sasl/session.ts';

const HOST = '127.0.0.1';
const MAX_CONNECTIONS = 2000;
const TLS_HANDSHAKE_MS = 10_000;
/** Kafka's name for who has not proved anything. */
const ANONYMOUS = 'ANONYMOUS';

/** Keys and certificates of a listener, each as PEM. */
export interface TlsRules {
  readonly key: string;
  /** With the certificates between it and the clients' CA, where there are some. */
  readonly cert: string;
  /** Clients must show a certificate of this CA; its subject is who they are, unless SASL says otherwise. */
  readonly clientCa?: string;
}

/** One address of the broker and who may enter there: SASL_PLAINTEXT, SSL or SASL_SSL. */
export interface ListenerOptions {
  /** 0 or absent: the one of the last start where it is free, else any. */
  readonly port?: number;
  readonly tls?: TlsRules;
  readonly sasl?: SaslRules;
}

/** A listener that listens. */
export interface Listener {
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Cuts all its connections. */
  close(): Promise<void>;
}

/** Opens a listener; brokers advertise to its clients the address where they came in. */
export async function openListener(
  broker: Broker,
  { name, options, onAttempt }: { name: string; options: ListenerOptions; onAttempt: (attempt: Attempt) => void },
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const serve = (socket: Socket, principal: string): void => {
    track(sockets, socket);
    const session = new SaslSession({
      rules: options.sasl,
      principal,
      credentials: broker.credentials,
      now: broker.now,
      onAttempt,
    });
    serveConnection(socket, { broker, advertised, session });
  };
  const open = (): Server => {
    if (!options.tls) return createServer((socket) => serve(socket, ANONYMOUS));
    const byCertificate = options.tls.clientCa !== undefined;
    const tell = (outcome: { principal: string | undefined; refusal: string | undefined }): void => {
      if (byCertificate) onAttempt({ mechanism: 'SSL', again: false, ...outcome });
    };
    const server = createTlsServer(tlsOptions(options.tls), (socket) => {
      const principal = subjectOf(socket);
      tell({ principal, refusal: undefined });
      serve(socket, principal);
    });
    server.on('tlsClientError', (error) => tell({ principal: undefined, refusal: error.message }));
    return server.on('connection', (socket) => track(sockets, socket));
  };
  const server = await listen(open, [options.port || broker.portOf(name) || 0, ...(options.port ? [] : [0])]);
  const advertised = { host: HOST, port: portOf(server) };
  broker.keepPort(name, advertised.port);
  return {
    address: `${advertised.host}:${advertised.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function track(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
}

/** Tries ports in turn; 0 is any free one. */
async function listen(open: () => Server, ports: readonly number[]): Promise<Server> {
  const [port = 0, ...others] = ports;
  const server = open();
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (others.length === 0) throw error;
    return listen(open, others);
  }
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`The broker listens at ${address}, not a port`);
  return address.port;
}

function tlsOptions({ key, cert, clientCa }: TlsRules): Parameters<typeof createTlsServer>[0] {
  const client = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { key, cert, minVersion: 'TLSv1.2', handshakeTimeout: TLS_HANDSHAKE_MS, ...client };
}

/** A certificate's subject as RFC 2253 writes it, which is Kafka's principal: the last name of the certificate first. */
function subjectOf(socket: TLSSocket): string {
  const subject = socket.getPeerX509Certificate()?.subject;
  return subject === undefined ? ANONYMOUS : subject.split('\n').reverse().join(',');
}
