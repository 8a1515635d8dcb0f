import { errorCode } from '../protocol/error-code.ts';
import { KafkaError } from './kafka-error.ts';

interface Setting {
  readonly fallback: string;
  /** Kafka's ConfigDef type: 2 string, 3 int, 5 long, 7 list. */
  readonly type: number;
  readonly accepts: (value: string) => boolean;
}

const whole = (from: number, to: number) => (value: string) =>
  /^-?\d{1,16}$/.test(value) && Number(value) >= from && Number(value) <= to;
const oneOf =
  (...names: string[]) =>
  (value: string) =>
    names.includes(value);

/**
 * The settings of a topic that this broker knows, with Kafka's own defaults.
 *
 * `compact` is taken and keeps every record: Kafka does not say when compaction happens, so no reader may rely on it.
 */
export const topicSettings: Readonly<Record<string, Setting>> = {
  'cleanup.policy': {
    fallback: 'delete',
    type: 7,
    accepts: oneOf('delete', 'compact', 'compact,delete', 'delete,compact'),
  },
  'max.message.bytes': { fallback: '1048588', type: 3, accepts: whole(0, 2 ** 31 - 1) },
  'retention.ms': { fallback: '604800000', type: 5, accepts: whole(-1, Number.MAX_SAFE_INTEGER) },
  'message.timestamp.type': { fallback: 'CreateTime', type: 2, accepts: oneOf('CreateTime') },
  'min.insync.replicas': { fallback: '1', type: 3, accepts: oneOf('1') },
  'compression.type': { fallback: 'producer', type: 2, accepts: oneOf('producer') },
};

/** A topic's own settings; what is not here has its default. */
export type TopicConfig = Readonly<Record<string, string>>;

/**
 * Checks settings that a client wants.
 *
 * @throws {KafkaError} INVALID_CONFIG, naming the setting and its value
 */
export function checkTopicConfig(config: TopicConfig): void {
  for (const [name, value] of Object.entries(config)) {
    const setting = topicSettings[name];
    if (!setting) {
      const known = Object.keys(topicSettings).join(', ');
      throw new KafkaError(errorCode.invalidConfig, `Unknown topic setting ${name}: this broker knows ${known}`);
    }
    if (!setting.accepts(value)) {
      throw new KafkaError(errorCode.invalidConfig, `${name} cannot be ${JSON.stringify(value)} on this broker`);
    }
  }
}

/** The value that holds for a topic. */
export function effectiveSetting(config: TopicConfig, name: string): string {
  return config[name] ?? topicSettings[name]?.fallback ?? '';
}
