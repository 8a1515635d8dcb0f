import { Admin } from '@platformatic/kafka';

const TIMEOUT_MS = 10_000;
const RETRIES = 2;
const RETRY_MS = 250;

/** Reads the ids of topics, which kafkajs' version of the Metadata request does not carry. */
export interface TopicIds {
  /** @returns the id as a UUID, as the brokers have it now; undefined for a topic that does not exist */
  read(topic: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Opens a connection on which topic ids are asked; it is made at the first question. */
export function openTopicIds(brokers: readonly string[], clientId: string): TopicIds {
  const admin = new Admin({
    clientId,
    bootstrapBrokers: [...brokers],
    autocreateTopics: false,
    timeout: TIMEOUT_MS,
    connectTimeout: TIMEOUT_MS,
    retries: RETRIES,
    retryDelay: RETRY_MS,
  });
  return {
    async read(topic) {
      try {
        const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true });
        return topics.get(topic)?.id;
      } catch (error) {
        if (isUnknownTopic(error)) return undefined;
        throw error;
      }
    },
    close: async () => {
      await admin.close();
    },
  };
}

/** The code stands somewhere among the causes of an aggregate. */
function isUnknownTopic(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('apiId' in error && error.apiId === 'UNKNOWN_TOPIC_OR_PARTITION') return true;
  const parts: readonly unknown[] = error instanceof AggregateError ? error.errors : [error.cause];
  return parts.some(isUnknownTopic);
}
