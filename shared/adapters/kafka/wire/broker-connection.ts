import { X509Certificate } from 'node:crypto';
import type { ClientCertificate, KafkaAccess, KafkaAuth } from '../kafka-auth.ts';
import { BrokerUnreachableError, KafkaAuthError, kafkaCode, refuseCode } from '../kafka-errors.ts';
import { authenticate, type SaslAuth, saslMechanism } from '../sasl/authenticate.ts';
import { type Api, apis } from './apis.ts';
import { type Conversation, openConversation } from './conversation.ts';
import { type BrokerAddress, openSocket } from './open-socket.ts';
import { RequestWriter } from './request-writer.ts';
import type { ResponseReader } from './response-reader.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const SASL_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** A broker that has not been let in yet has little to say. */
const MAX_FIRST_BYTES = 64 * 1024;
/** A fetch of ours asks for a few MiB, but one batch may be as large as the topic allows. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
/** Of a session's lifetime, after which it is renewed: as Kafka's own client does (KIP-368). */
const RENEW_AT = 0.85;
/** Of what is left of a session then, as long as one of another user is still asked. */
const LEFT_SHARE = 0.5;
/** How often a connection looks whether its certificate was rotated; caches keep it for minutes. */
const LOOK_EVERY_MS = 60_000;
/** Node's timers cannot wait longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const SOFTWARE = { name: 'penstock', version: '0.1.0' };

/** An authenticated connection to one broker. */
export interface BrokerConnection {
  /** `host:port` */
  readonly broker: string;
  isOpen(): boolean;
  /**
   * Asks one thing. Answers come in the order of the questions: what may wait long needs a connection of its own.
   *
   * @throws {BrokerUnreachableError} when the connection ends or the answer is late; it is closed then
   * @throws {MalformedAnswerError}
   */
  ask(api: Api, body: RequestWriter, timeoutMs?: number): Promise<ResponseReader>;
  close(): void;
}

/**
 * Connects to a broker and proves who we are. Credentials are asked for at each connection, and a second time, as fresh as
 * they can be had, when the broker refuses the first.
 *
 * @param signal ends the connection, made or not
 * @throws {KafkaAuthError} when both are refused, or when the broker is not who it should be
 * @throws {BrokerUnreachableError}
 */
export async function openBrokerConnection(
  address: BrokerAddress,
  access: KafkaAccess,
  clientId: string,
  signal?: AbortSignal,
): Promise<BrokerConnection> {
  try {
    return await connectAudibly(address, access, { clientId, signal, fresh: false });
  } catch (error) {
    if (!(error instanceof KafkaAuthError) || !access.auth) throw error;
    return await connectAudibly(address, access, { clientId, signal, fresh: true });
  }
}

interface ConnectOptions {
  readonly clientId: string;
  readonly signal: AbortSignal | undefined;
  readonly fresh: boolean;
}

/** Tells of the attempt, and as whom it was made: credentials name that only when they are read. */
async function connectAudibly(
  address: BrokerAddress,
  access: KafkaAccess,
  options: ConnectOptions,
): Promise<BrokerConnection> {
  const { onAttempt } = access;
  if (!onAttempt) return await connectOnce(address, access, options);
  let identity: string | undefined;
  const auth =
    access.auth &&
    heardAuth(access.auth, (name) => {
      identity = name;
    });
  const resource = `kafka://${address.host}:${address.port}`;
  try {
    const connection = await connectOnce(address, { ...access, auth }, options);
    onAttempt({ resource, identity });
    return connection;
  } catch (error) {
    onAttempt({ resource, identity, error });
    throw error;
  }
}

/** The same proof; tells whom it names. */
function heardAuth<A extends KafkaAuth>(auth: A, hear: (identity: string) => void): A {
  if (auth.mechanism === 'oauthbearer') {
    const token = async (fresh: boolean) => {
      const given = await auth.token(fresh);
      hear(given.principal);
      return given;
    };
    return { ...auth, token };
  }
  if (auth.mechanism === 'mtls') {
    const certificate = async (fresh: boolean) => {
      const given = await auth.certificate(fresh);
      hear(new X509Certificate(given.cert).subject.replaceAll('\n', ', '));
      return given;
    };
    return { ...auth, certificate };
  }
  const credentials = async (fresh: boolean) => {
    const given = await auth.credentials(fresh);
    hear(given.username);
    return given;
  };
  return { ...auth, credentials };
}

async function connectOnce(
  address: BrokerAddress,
  { tls, auth }: KafkaAccess,
  { clientId, signal, fresh }: ConnectOptions,
): Promise<BrokerConnection> {
  const broker = `${address.host}:${address.port}`;
  if (auth?.mechanism === 'mtls' && !tls) throw new KafkaAuthError(broker, 'a client certificate needs TLS');
  const certificate = auth?.mechanism === 'mtls' ? await auth.certificate(fresh) : undefined;
  const socket = await openSocket(address, { tls, certificate, timeoutMs: CONNECT_TIMEOUT_MS, signal });
  const talk = openConversation(socket, broker, clientId, MAX_FIRST_BYTES);
  try {
    await checkVersions(talk, broker);
    const session = await openSessionOf(auth, certificate, { talk, broker, fresh });
    talk.allow(MAX_ANSWER_BYTES);
    return connectionOf(talk, broker, session);
  } catch (error) {
    talk.close();
    throw certificate ? asRefusedCertificate(broker, error) : error;
  }
}

/** In TLS 1.3 a client learns only after the handshake that the broker does not take its certificate. */
function asRefusedCertificate(broker: string, error: unknown): unknown {
  const isClosed = error instanceof BrokerUnreachableError;
  return isClosed ? new KafkaAuthError(broker, 'the connection ended after our certificate was shown', error) : error;
}

/** @throws {Error} naming every request that this broker does not serve as we speak it */
async function checkVersions(talk: Conversation, broker: string): Promise<void> {
  const body = new RequestWriter().text(SOFTWARE.name).text(SOFTWARE.version).noTags();
  const answer = await talk.ask(apis.apiVersions, body, CONNECT_TIMEOUT_MS);
  refuseCode(answer.int16(), `Asking broker ${broker} for its versions`);
  const served = new Map(
    answer.array(() => {
      const range = [answer.int16(), { min: answer.int16(), max: answer.int16() }] as const;
      answer.tags();
      return range;
    }),
  );
  const missing = Object.values(apis).filter(({ name, key, version }) => {
    if (name.startsWith('Sasl')) return false;
    const range = served.get(key);
    return !range || version < range.min || version > range.max;
  });
  if (missing.length === 0) return;
  const names = missing.map(({ name, version }) => `${name} ${version}`).join(', ');
  throw new Error(`Broker ${broker} does not serve ${names}: Kafka 3.1 or later is needed`);
}

interface Session {
  readonly lifetimeMs: number;
  /** Authenticates anew over the same connection; undefined where we are somebody else by now, whom brokers do not take here. */
  renew(): Promise<Session | undefined>;
}

async function openSessionOf(
  auth: KafkaAuth | undefined,
  certificate: ClientCertificate | undefined,
  { talk, broker, fresh }: { readonly talk: Conversation; readonly broker: string; readonly fresh: boolean },
): Promise<Session | undefined> {
  if (auth?.mechanism === 'mtls') return certificate && shownSession(auth, certificate);
  return auth && (await openSession(talk, broker, auth, { fresh }));
}

/**
 * Brokers ask for a certificate once, and take it for as long as the connection lasts. Whoever rotates it wants it seen no more, so a
 * connection is left, as one whose user has changed, when the certificate is another by now.
 */
function shownSession(auth: Extract<KafkaAuth, { mechanism: 'mtls' }>, shown: ClientCertificate): Session {
  const session: Session = {
    lifetimeMs: auth.lookEveryMs ?? LOOK_EVERY_MS,
    async renew() {
      // One that cannot be read now is not another one.
      const { cert } = await auth.certificate(false).catch(() => shown);
      return cert === shown.cert ? session : undefined;
    },
  };
  return session;
}

/** @param proof what `auth` has just given, where it was asked already */
async function openSession(
  talk: Conversation,
  broker: string,
  auth: SaslAuth,
  { fresh, proof = auth }: { readonly fresh: boolean; readonly proof?: SaslAuth },
): Promise<Session> {
  const mechanism = saslMechanism(auth);
  let principal = '';
  const heard = heardAuth(proof, (name) => {
    principal = name;
  });
  const shake = await talk.ask(apis.saslHandshake, new RequestWriter().shortText(mechanism), SASL_TIMEOUT_MS);
  const code = shake.int16();
  if (code !== kafkaCode.none) {
    const offered = shake.longArray(() => shake.shortText()).join(', ');
    throw new KafkaAuthError(broker, `it does not take ${mechanism}, but ${offered || 'nothing'}`);
  }
  let lifetimeMs = 0;
  await authenticate(broker, heard, fresh, async (bytes) => {
    const answer = await talk.ask(apis.saslAuthenticate, new RequestWriter().data(bytes).noTags(), SASL_TIMEOUT_MS);
    const refused = answer.int16();
    const message = answer.nullableText();
    if (refused !== kafkaCode.none) throw new KafkaAuthError(broker, message ?? `error ${refused}`);
    const challenge = answer.data() ?? Buffer.alloc(0);
    lifetimeMs = Number(answer.int64());
    return challenge;
  });
  return {
    lifetimeMs,
    async renew() {
      // What was good when the session began may have been rotated since, and a broker closes on who is refused.
      const next = await askedOnce(auth);
      if (next.principal !== principal) return undefined;
      return await openSession(talk, broker, auth, { fresh: false, proof: next.auth });
    },
  };
}

/** As whom we come now, and the same proof without asking again. */
async function askedOnce(auth: SaslAuth): Promise<{ readonly principal: string; readonly auth: SaslAuth }> {
  if (auth.mechanism === 'oauthbearer') {
    const token = await auth.token(true);
    return { principal: token.principal, auth: { ...auth, token: async () => token } };
  }
  const user = await auth.credentials(true);
  return { principal: user.username, auth: { ...auth, credentials: async () => user } };
}

function connectionOf(talk: Conversation, broker: string, session: Session | undefined): BrokerConnection {
  const underWay = new Set<Promise<unknown>>();
  let renewing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isRetired = false;
  const lost = `The session with broker ${broker} could not be renewed`;
  // Who asks for a connection gets a new one. Who holds this one may use it as long as the session lasts.
  const retire = (leftMs: number): void => {
    isRetired = true;
    const hangUp = (): void => void Promise.allSettled(underWay).then(() => talk.close());
    timer = setTimeout(hangUp, leftMs);
    timer.unref();
  };
  const renewLater = (current: Session): void => {
    if (current.lifetimeMs <= 0) return;
    const renew = (): void => {
      // The broker takes nothing else while it is being convinced: what is under way ends first, what is new waits.
      renewing = Promise.allSettled(underWay)
        .then(() => current.renew())
        .then((next) => (next ? renewLater(next) : retire(current.lifetimeMs * (1 - RENEW_AT) * LEFT_SHARE)))
        // The next connection asks for the credentials anew, and says so if those are refused as well.
        .catch((cause: unknown) => talk.close(new BrokerUnreachableError(lost, { cause })))
        .finally(() => {
          renewing = undefined;
        });
    };
    timer = setTimeout(renew, Math.min(MAX_TIMER_MS, current.lifetimeMs * RENEW_AT));
    timer.unref();
  };
  if (session) renewLater(session);
  return {
    broker,
    isOpen: () => !isRetired && talk.isOpen(),
    async ask(api, body, timeoutMs = REQUEST_TIMEOUT_MS) {
      while (renewing) await renewing;
      const answer = talk.ask(api, body, timeoutMs);
      underWay.add(answer);
      return await answer.finally(() => underWay.delete(answer));
    },
    close() {
      clearTimeout(timer);
      talk.close();
    },
  };
}
