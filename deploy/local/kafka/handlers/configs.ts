import { type Broker, NODE_ID } from '../engine/broker.ts';
import { KafkaError } from '../engine/kafka-error.ts';
import { checkTopicConfig, effectiveSetting, type TopicConfig, topicSettings } from '../engine/topic-config.ts';
import type { Topic } from '../engine/topics.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import {
  type alterConfigs,
  configOperation,
  type describeConfigs,
  type incrementalAlterConfigs,
  resourceType,
} from '../protocol/configs.ts';
import { errorCode } from '../protocol/error-code.ts';
import type { Call } from './route.ts';
import { configSource } from './topics.ts';

type Described = ResponseOf<typeof describeConfigs>['results'][number];
type Altered = ResponseOf<typeof alterConfigs>['responses'][number];
interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** Answers DescribeConfigs for topics and for the broker, which has nothing to set. */
export function answerDescribeConfigs(
  { resources }: RequestOf<typeof describeConfigs>,
  { broker }: Call,
): ResponseOf<typeof describeConfigs> {
  const results = resources.map(({ configurationKeys, ...resource }): Described => {
    try {
      if (isThisBroker(resource)) return { ...resource, errorCode: errorCode.none, errorMessage: null, configs: [] };
      const { config } = topicOf(broker, resource);
      const wanted = Object.entries(topicSettings).filter(([name]) => configurationKeys?.includes(name) ?? true);
      const configs = wanted.map(([name, { type }]) => ({
        name,
        value: effectiveSetting(config, name),
        readOnly: false,
        isDefault: !(name in config),
        configSource: name in config ? configSource.topic : configSource.fallback,
        isSensitive: false,
        configType: type,
      }));
      return { ...resource, errorCode: errorCode.none, errorMessage: null, configs };
    } catch (error) {
      return { ...refused(resource, error), configs: [] };
    }
  });
  return { throttleTimeMs: 0, results };
}

/** Answers AlterConfigs. */
export function answerAlterConfigs(
  { resources, validateOnly }: RequestOf<typeof alterConfigs>,
  { broker }: Call,
): ResponseOf<typeof alterConfigs> {
  const responses = resources.map(({ configs, ...resource }) =>
    alter(broker, resource, validateOnly, () =>
      Object.fromEntries(configs.flatMap(({ name, value }) => (value === null ? [] : [[name, value]]))),
    ),
  );
  return { throttleTimeMs: 0, responses };
}

/** Answers IncrementalAlterConfigs. */
export function answerIncrementalAlterConfigs(
  { resources, validateOnly }: RequestOf<typeof incrementalAlterConfigs>,
  { broker }: Call,
): ResponseOf<typeof incrementalAlterConfigs> {
  const responses = resources.map(({ configs, ...resource }) =>
    alter(broker, resource, validateOnly, (current) => {
      const next = new Map(Object.entries(current));
      for (const { name, configOperation: operation, value } of configs) {
        if (operation === configOperation.set && value !== null) next.set(name, value);
        else if (operation === configOperation.delete) next.delete(name);
        else
          throw new KafkaError(
            errorCode.invalidConfig,
            `Operation ${operation} on ${name} is not served: set or delete`,
          );
      }
      return Object.fromEntries(next);
    }),
  );
  return { throttleTimeMs: 0, responses };
}

function alter(
  broker: Broker,
  resource: Resource,
  validateOnly: boolean,
  change: (current: TopicConfig) => TopicConfig,
): Altered {
  try {
    const topic = topicOf(broker, resource);
    const next = change(topic.config);
    checkTopicConfig(next);
    if (!validateOnly) broker.topics.configure(topic, next);
    return { ...resource, errorCode: errorCode.none, errorMessage: null };
  } catch (error) {
    return refused(resource, error);
  }
}

function isThisBroker(resource: Resource): boolean {
  return resource.resourceType === resourceType.broker && ['', String(NODE_ID)].includes(resource.resourceName);
}

function topicOf(broker: Broker, resource: Resource): Topic {
  if (resource.resourceType !== resourceType.topic) {
    const message = `Settings of resource type ${resource.resourceType} are not served: topics (2) are`;
    throw new KafkaError(errorCode.invalidRequest, message);
  }
  const topic = broker.topics.named(resource.resourceName);
  if (topic) return topic;
  throw new KafkaError(errorCode.unknownTopicOrPartition, `There is no topic ${resource.resourceName}`);
}

function refused(resource: Resource, error: unknown): Altered {
  if (!(error instanceof KafkaError)) throw error;
  return { ...resource, errorCode: error.code, errorMessage: error.message };
}
