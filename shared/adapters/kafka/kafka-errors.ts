import { PenstockError } from '../../base/errors.ts';

/** Kafka's error codes, as far as we decide by them. Source: kafka.apache.org/protocol, "Error Codes". */
export const kafkaCode = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  unsupportedSaslMechanism: 33,
  kafkaStorageError: 56,
  saslAuthenticationFailed: 58,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(kafkaCode).map(([name, code]) => [code, name.replace(/[A-Z]/g, '_$&').toUpperCase()]),
);
const moreNames: ReadonlyMap<number, string> = new Map([
  [-1, 'UNKNOWN_SERVER_ERROR'],
  [17, 'INVALID_TOPIC_EXCEPTION'],
  [24, 'INVALID_GROUP_ID'],
  [26, 'INVALID_SESSION_TIMEOUT'],
  [29, 'TOPIC_AUTHORIZATION_FAILED'],
  [30, 'GROUP_AUTHORIZATION_FAILED'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED'],
  [34, 'ILLEGAL_SASL_STATE'],
  [35, 'UNSUPPORTED_VERSION'],
  [81, 'GROUP_MAX_SIZE_REACHED'],
]);

/** A broker answered with an error code. */
export class BrokerError extends Error {
  override name = 'BrokerError';
  readonly kafkaCode: number;

  constructor(attempted: string, code: number) {
    super(`${attempted}: the broker answered ${names.get(code) ?? moreNames.get(code) ?? 'an error'} (${code})`);
    this.kafkaCode = code;
  }
}

/** A broker's answer is not what the protocol says; its connection is of no more use. */
export class MalformedAnswerError extends Error {
  override name = 'MalformedAnswerError';

  constructor(what: string) {
    super(`A broker's answer ${what}`);
  }
}

/** The connection to a broker ended, or its answer did not come in time; the same call may succeed later. */
export class BrokerUnreachableError extends Error {
  override name = 'BrokerUnreachableError';
}

/** Brokers refuse who we are, or we refuse them. */
export class KafkaAuthError extends PenstockError {
  constructor(broker: string, what: string, cause?: unknown) {
    super(`Cannot authenticate with broker ${broker}: ${what}`, {
      code: 'KAFKA_AUTH',
      remedy: 'Compare the mechanism and the credentials with those that the brokers know',
      // A rotation may be under way: the next attempt asks for the credentials anew.
      retryable: true,
      cause,
    });
  }
}

/** A log holds what cannot be read: a wrong checksum, a batch of an old format, or one that unpacks to too much. */
export class UnreadableBatchError extends PenstockError {
  constructor(where: string, offset: bigint | number, what: string, cause?: unknown) {
    super(`Cannot read the batch at offset ${offset} of ${where}: ${what}`, {
      code: 'KAFKA_BATCH_UNREADABLE',
      remedy: 'Look at that offset with the brokers’ own tools; nothing after it is read until it can be, or is gone',
      retryable: false,
      cause,
    });
  }
}

/** Throws what an answer's error code says. */
export function refuseCode(code: number, attempted: string): void {
  if (code !== kafkaCode.none) throw new BrokerError(attempted, code);
}
