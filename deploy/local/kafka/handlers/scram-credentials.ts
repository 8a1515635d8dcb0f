import type { Broker } from '../engine/broker.ts';
import { KafkaError } from '../engine/kafka-error.ts';
import type { RequestOf, ResponseOf } from '../protocol/api.ts';
import { type ErrorCode, errorCode } from '../protocol/error-code.ts';
import {
  type alterUserScramCredentials,
  type describeUserScramCredentials,
  scramMechanismNumber,
} from '../protocol/scram-credentials.ts';
import { scramMechanisms } from '../sasl/credentials.ts';
import { digestBytes, keysOfSalted, MAX_ITERATIONS, MIN_ITERATIONS, type ScramMechanism } from '../sasl/scram-keys.ts';
import type { Call } from './route.ts';

type Described = ResponseOf<typeof describeUserScramCredentials>['results'][number];
type Altered = ResponseOf<typeof alterUserScramCredentials>['results'][number];
type Deletion = RequestOf<typeof alterUserScramCredentials>['deletions'][number];
type Upsertion = RequestOf<typeof alterUserScramCredentials>['upsertions'][number];

/** Answers DescribeUserScramCredentials: all users, or those named. */
export function answerDescribeUserScramCredentials(
  { users }: RequestOf<typeof describeUserScramCredentials>,
  { broker }: Call,
): ResponseOf<typeof describeUserScramCredentials> {
  const wanted = users?.length ? users.map(({ name }) => name) : broker.credentials.scramUsers();
  const results = [...Map.groupBy(wanted, (user) => user)].map(([user, times]): Described => {
    try {
      if (times.length > 1) {
        const message = `Cannot describe SCRAM credentials for the same user twice in a single request: ${user}`;
        throw new KafkaError(errorCode.duplicateResource, message);
      }
      return { user, errorCode: errorCode.none, errorMessage: null, credentialInfos: infosOf(broker, user) };
    } catch (error) {
      return { ...refused(user, error), credentialInfos: [] };
    }
  });
  return { throttleTimeMs: 0, errorCode: errorCode.none, errorMessage: null, results };
}

/** Answers AlterUserScramCredentials: each user for itself, and of one user all changes or none. */
export function answerAlterUserScramCredentials(
  { deletions, upsertions }: RequestOf<typeof alterUserScramCredentials>,
  { broker }: Call,
): ResponseOf<typeof alterUserScramCredentials> {
  const removed = Map.groupBy(deletions, ({ name }) => name);
  const put = Map.groupBy(upsertions, ({ name }) => name);
  const results = [...new Set([...removed.keys(), ...put.keys()])].map((user): Altered => {
    try {
      alter(broker, user, { deletions: removed.get(user) ?? [], upsertions: put.get(user) ?? [] });
      return { user, errorCode: errorCode.none, errorMessage: null };
    } catch (error) {
      return refused(user, error);
    }
  });
  return { throttleTimeMs: 0, results };
}

function alter(
  { credentials }: Broker,
  user: string,
  { deletions, upsertions }: { deletions: readonly Deletion[]; upsertions: readonly Upsertion[] },
): void {
  if (user === '') throw new KafkaError(errorCode.unacceptableCredential, 'Username must not be empty');
  const mechanisms = [...deletions, ...upsertions].map(({ mechanism }) => mechanismOf(mechanism));
  if (new Set(mechanisms).size < mechanisms.length) {
    const message = 'A user credential cannot be altered twice in the same request';
    throw new KafkaError(errorCode.duplicateResource, message);
  }
  for (const { mechanism } of deletions) {
    if (credentials.scram(mechanismOf(mechanism), user)) continue;
    throw new KafkaError(errorCode.resourceNotFound, 'Attempt to delete a user credential that does not exist');
  }
  for (const upsertion of upsertions) checkUpsertion(upsertion);
  for (const { mechanism } of deletions) credentials.remove(mechanismOf(mechanism), user);
  for (const upsertion of upsertions) {
    const mechanism = mechanismOf(upsertion.mechanism);
    credentials.put(mechanism, user, keysOfSalted(mechanism, upsertion));
  }
}

function checkUpsertion({ mechanism, iterations, salt, saltedPassword }: Upsertion): void {
  const unacceptable = (message: string): KafkaError => new KafkaError(errorCode.unacceptableCredential, message);
  if (iterations < MIN_ITERATIONS) throw unacceptable('Too few iterations');
  if (iterations > MAX_ITERATIONS) throw unacceptable('Too many iterations');
  if (salt.length === 0) throw unacceptable('Empty salt');
  const wanted = digestBytes(mechanismOf(mechanism));
  if (saltedPassword.length !== wanted) {
    throw unacceptable(`A salted password of ${saltedPassword.length} bytes, ${wanted} are wanted`);
  }
}

function mechanismOf(number: number): ScramMechanism {
  const mechanism = scramMechanisms.find((known) => scramMechanismNumber[known] === number);
  if (mechanism) return mechanism;
  throw new KafkaError(errorCode.unsupportedSaslMechanism, 'Unknown SCRAM mechanism');
}

function infosOf({ credentials }: Broker, user: string): Described['credentialInfos'] {
  const infos = scramMechanisms.flatMap((mechanism) => {
    const keys = credentials.scram(mechanism, user);
    return keys ? [{ mechanism: scramMechanismNumber[mechanism], iterations: keys.iterations }] : [];
  });
  if (infos.length > 0) return infos;
  const message = `Attempt to describe a user credential that does not exist: ${user}`;
  throw new KafkaError(errorCode.resourceNotFound, message);
}

function refused(user: string, error: unknown): { user: string; errorCode: ErrorCode; errorMessage: string } {
  if (!(error instanceof KafkaError)) throw error;
  return { user, errorCode: error.code, errorMessage: error.message };
}
