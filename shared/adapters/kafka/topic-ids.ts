import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { metadataRequest, readTopicId, takeFrame } from './metadata-request.ts';

const TIMEOUT_MS = 5_000;

/**
 * Reads the ids of topics. kafkajs speaks a version of the Metadata request that does not carry them, and a second whole
 * client would cost the worker 40 MB of memory for this one question.
 */
export interface TopicIds {
  /** @returns the id as a UUID, as the brokers have it now; undefined for a topic that does not exist */
  read(topic: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Asks for topic ids over a connection of its own, made at the first question and again after a failure. */
export function openTopicIds(brokers: readonly string[], clientId: string): TopicIds {
  let opening: Promise<Connection> | undefined;
  let correlation = 0;
  const anyBroker = async (): Promise<Connection> => {
    const failures: unknown[] = [];
    for (const broker of brokers) {
      try {
        return await openConnection(broker);
      } catch (error) {
        failures.push(error);
      }
    }
    throw new Error(`No broker of ${brokers.join(', ')} can be reached`, { cause: failures[0] });
  };
  const open = async (): Promise<Connection> => {
    const held = opening;
    const connection = await held?.catch(() => undefined);
    if (connection?.isOpen()) return connection;
    // Whoever found it closed first opens it anew; the others wait for the same one.
    if (opening === held) opening = anyBroker();
    return await (opening ?? anyBroker());
  };
  return {
    async read(topic) {
      const connection = await open();
      correlation = (correlation + 1) % 2 ** 31;
      const answer = await connection.ask(correlation, metadataRequest({ topic, clientId, correlation }));
      return readTopicId(answer, topic);
    },
    async close() {
      const last = await opening?.catch(() => undefined);
      last?.close();
    },
  };
}

interface Connection {
  isOpen(): boolean;
  ask(correlation: number, request: Buffer): Promise<Buffer>;
  close(): void;
}

async function openConnection(broker: string): Promise<Connection> {
  const at = broker.lastIndexOf(':');
  const socket = connect({ host: broker.slice(0, at), port: Number(broker.slice(at + 1)), timeout: TIMEOUT_MS });
  // Nothing waits for this connection but the question that is under way.
  socket.once('timeout', () => socket.destroy(new Error(`Broker ${broker} does not answer`)));
  await once(socket, 'connect');
  socket.setTimeout(0);
  return conversation(socket, broker);
}

function conversation(socket: Socket, broker: string): Connection {
  const waiting = new Map<number, PromiseWithResolvers<Buffer>>();
  let received = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (let frame = takeFrame(received); frame; frame = takeFrame(received)) {
      received = received.subarray(frame.end);
      waiting.get(frame.correlation)?.resolve(frame.body);
      waiting.delete(frame.correlation);
    }
  });
  const fail = (error: Error): void => {
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error(`Broker ${broker} closed the connection`)));
  return {
    isOpen: () => !socket.destroyed && socket.writable,
    close: () => socket.destroy(),
    async ask(correlation, request) {
      const answer = Promise.withResolvers<Buffer>();
      waiting.set(correlation, answer);
      const timer = setTimeout(() => socket.destroy(new Error(`Broker ${broker} does not answer`)), TIMEOUT_MS);
      socket.write(request);
      return await answer.promise.finally(() => clearTimeout(timer));
    },
  };
}
