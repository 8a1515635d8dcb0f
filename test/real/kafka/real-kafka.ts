import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { kafkajsClient } from '../../../shared/adapters/kafka/kafkajs-client.ts';
import { kafkaArtifacts } from '../fetch/artifacts.ts';
import { mavenJars } from '../fetch/maven-jars.ts';

const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 20_000;
const MAX_KEPT_BYTES = 20_000;

/** One node of Apache Kafka itself: broker and controller at once, or a broker that has joined another. */
export interface RealKafka {
  readonly brokers: readonly string[];
  readonly cluster: { readonly id: string; readonly controller: number };
  /** `127.0.0.1:port` of the further listeners, by name. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Kills the broker with -9, and starts it again on the same ports and folder after so long, or when the promise says so. */
  restart(outage: number | Promise<void>): Promise<void>;
  /** Runs one of Kafka's own command line tools to its end, with this text as its input. */
  runTool(main: string, args: readonly string[], input?: string): Promise<void>;
  /** Ends the broker and removes its folder. */
  close(): Promise<void>;
}

/** What a broker is to have beside its plaintext listener. */
export interface RealKafkaOptions {
  /** Protocols of further listeners by their names: SSL, SASL_SSL, SASL_PLAINTEXT. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** Settings as in `server.properties`. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Users as its storage tool takes them: `SCRAM-SHA-256=[name=…,password=…]`. */
  readonly scramUsers?: readonly string[];
  /** The cluster to join as a second broker, node 2; a cluster of its own unless given. */
  readonly joins?: RealKafka['cluster'];
}

/** Sixteen bytes as base64url, never with `-` at its start, which Kafka's tool takes for an option. */
function clusterId(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8(bytes.readUInt8(0) & 0x7f, 0);
  return bytes.toString('base64url');
}

/**
 * Starts Apache Kafka on free ports with an empty folder, and waits until it answers.
 *
 * @throws {Error} with what it printed when it ends or does not answer within three minutes
 */
export async function openRealKafka(options: RealKafkaOptions = {}): Promise<RealKafka> {
  const classPath = mavenJars(kafkaArtifacts);
  const dir = mkdtempSync(join(tmpdir(), 'penstock-kafka-'));
  const broker = await freePort();
  const cluster = options.joins ?? { id: clusterId(), controller: await freePort() };
  const ports: Record<string, number> = {};
  for (const name of Object.keys(options.listeners ?? {})) ports[name] = await freePort();
  const properties = join(dir, 'server.properties');
  writeFileSync(properties, serverProperties(dir, { PLAINTEXT: broker, ...ports }, cluster.controller, options));
  const format = ['kafka.tools.StorageTool', 'format', '-t', cluster.id, '-c', properties];
  for (const user of options.scramUsers ?? []) format.push('--add-scram', user);
  execFileSync('java', ['-cp', classPath, ...format], { stdio: 'ignore' });
  const brokers = [`127.0.0.1:${broker}`];
  const start = (): ChildProcess =>
    spawn('java', ['-Xmx512m', '-cp', classPath, 'kafka.Kafka', properties], { stdio: ['ignore', 'pipe', 'pipe'] });
  let child = start();
  const close = async (): Promise<void> => {
    await stop(child);
    rmSync(dir, { recursive: true, force: true });
  };
  const answering = async (): Promise<void> => {
    const printed = keepOutput(child);
    try {
      await untilItAnswers(child, brokers);
    } catch (cause) {
      await close();
      throw new Error(`Kafka did not start:\n${printed()}`, { cause });
    }
  };
  await answering();
  const addresses = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `127.0.0.1:${port}`]));
  return {
    brokers,
    cluster,
    addresses,
    async restart(outage) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await (typeof outage === 'number' ? delay(outage) : outage);
      child = start();
      await answering();
    },
    async runTool(main, args, input = '') {
      const tool = spawn('java', ['-Xmx256m', '-cp', classPath, main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
      const said = keepOutput(tool);
      tool.stdin.end(input);
      const [code] = await once(tool, 'exit');
      if (code !== 0) throw new Error(`${main} ended with ${code}:\n${said()}`);
    },
    close,
  };
}

function serverProperties(
  dir: string,
  ports: Readonly<Record<string, number>>,
  controller: number,
  { listeners = {}, properties = {}, joins }: RealKafkaOptions,
): string {
  const advertised = Object.entries(ports).map(([name, port]) => `${name}://127.0.0.1:${port}`);
  const protocols = { CONTROLLER: 'PLAINTEXT', PLAINTEXT: 'PLAINTEXT', ...listeners };
  return Object.entries({
    'process.roles': joins ? 'broker' : 'broker,controller',
    'node.id': joins ? 2 : 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: [...advertised, ...(joins ? [] : [`CONTROLLER://127.0.0.1:${controller}`])].join(','),
    'advertised.listeners': advertised.join(','),
    'listener.security.protocol.map': Object.entries(protocols)
      .map((pair) => pair.join(':'))
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(dir, 'logs'),
    'message.max.bytes': 16 * 1024 * 1024,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // Members that are killed are to be missed within the test's time.
    'group.min.session.timeout.ms': 1_000,
    ...properties,
  })
    .map(([name, value]) => `${name}=${String(value).replaceAll('\n', '\\n')}\n`)
    .join('');
}

async function untilItAnswers(child: ChildProcess, brokers: readonly string[]): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}`);
    const admin = kafkajsClient({ clientId: 'penstock-real', brokers: [...brokers], retry: { retries: 0 } }).admin();
    try {
      await admin.connect();
      if ((await admin.describeCluster()).brokers.length > 0) return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    } finally {
      await admin.disconnect();
    }
    await delay(200);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}

function keepOutput(child: ChildProcess): () => string {
  let kept = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      kept = (kept + chunk.toString()).slice(-MAX_KEPT_BYTES);
    });
  }
  return () => kept;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('The system gave no port');
  return address.port;
}
