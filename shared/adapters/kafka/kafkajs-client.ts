import kafkajs, { type Kafka, type KafkaConfig } from 'kafkajs';

let isQuiet = false;

/** Makes a kafkajs client; says nothing on the terminal unless `logCreator` or `logLevel` is given. */
export function kafkajsClient(config: KafkaConfig): Kafka {
  quietTimers();
  return new kafkajs.Kafka({
    logLevel: config.logCreator ? kafkajs.logLevel.INFO : kafkajs.logLevel.NOTHING,
    ...config,
  });
}

/**
 * Keeps Node's TimeoutNegativeWarning off the terminal.
 *
 * kafkajs 2.2.4 sets a timer for a moment that has passed (its request queue, before a broker has ever throttled it).
 * Node 24 warns, and fires the timer at once, which is what is meant.
 */
function quietTimers(): void {
  if (isQuiet) return;
  isQuiet = true;
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (rest[0] !== 'TimeoutNegativeWarning') Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
}
