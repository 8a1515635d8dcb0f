import type { handleUnaryCall } from '@grpc/grpc-js';
import { type Method, serveGrpc } from '../../../../deploy/local/grpc.ts';
import { SecretEngine } from '../../../../deploy/local/secret-manager/engine.ts';
import { noLifecycle } from '../../../../deploy/local/secret-manager/lifecycle.ts';
import { secretManagerMethods } from '../../../../deploy/local/secret-manager/methods.ts';
import { openSecretStore } from '../../../../deploy/local/secret-manager/store.ts';

export const PROJECT = 'laptop';

/** What the server does with the next accesses: answers, never answers, answers with another sum or without one. */
export type Mood = 'serve' | 'silent' | 'damaged' | 'unsummed';

/** The laptop's Secret Manager, counted and disturbed; the environment points the official client there. */
export interface SecretServer {
  /** Accesses that arrived. */
  readonly accessCount: number;
  readonly port: number;
  mood: Mood;
  /** Adds a version and lets `current` name it. */
  rotate(secret: string, value: string | Buffer): void;
  /** Lets `current` name a version. */
  point(secret: string, version: number): void;
  setState(secret: string, version: number, state: 'ENABLED' | 'DISABLED'): void;
  /** Takes every connection away, until {@link start}. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Opens it on a port that it keeps over stops. */
export async function openSecretServer(): Promise<SecretServer> {
  const engine = new SecretEngine(openSecretStore(undefined), Date.now);
  const nameOf = (secret: string): string => `projects/${PROJECT}/secrets/${secret}`;
  let accessCount = 0;
  let mood: Mood = 'serve';
  const disturbed = (method: Method): Method => {
    if (!method.path.endsWith('/AccessSecretVersion')) return method;
    const serve = method.handle as handleUnaryCall<unknown, Answer>;
    const handle: handleUnaryCall<unknown, Answer> = (call, callback) => {
      accessCount++;
      if (mood === 'silent') return;
      serve(call, (error, answer, ...rest) => {
        if (answer && mood === 'damaged') answer.payload.dataCrc32c = (Number(answer.payload.dataCrc32c) + 1) >>> 0;
        if (answer && mood === 'unsummed') delete answer.payload.dataCrc32c;
        callback(error, answer, ...rest);
      });
    };
    return { ...method, handle };
  };
  const listen = (port: number) => serveGrpc({ port, methods: secretManagerMethods(engine).map(disturbed) });
  let server = await listen(0);
  const { port } = server;
  process.env.SECRET_MANAGER_EMULATOR_HOST = `127.0.0.1:${port}`;
  const point = (secret: string, version: number): void => {
    engine.update(nameOf(secret), { versionAliases: { current: version } }, '');
  };
  return {
    port,
    get accessCount() {
      return accessCount;
    },
    get mood() {
      return mood;
    },
    set mood(next) {
      mood = next;
    },
    rotate(secret, value) {
      if (!engine.list(`projects/${PROJECT}`).some(({ name }) => name === nameOf(secret))) {
        engine.create(nameOf(secret), { labels: {}, annotations: {}, versionAliases: {}, lifecycle: noLifecycle });
      }
      point(secret, engine.addVersion(nameOf(secret), Buffer.from(value), true).number);
    },
    point,
    setState(secret, version, state) {
      engine.setState(`${nameOf(secret)}/versions/${version}`, state, '');
    },
    stop: () => server.close(),
    async start() {
      server = await listen(port);
    },
    close: () => server.close(),
  };
}

interface Answer {
  readonly payload: { dataCrc32c?: unknown };
}
