import { pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import type { KafkaAccess, UserPassword } from '../kafka-auth.ts';
import { BrokerError, kafkaCode, refuseCode } from '../kafka-errors.ts';
import type { Api } from './apis.ts';
import { openCluster } from './cluster.ts';
import { RequestWriter } from './request-writer.ts';

const derive = promisify(pbkdf2);

/**
 * Asked of brokers only by those who administer credentials: the driver does not need them, and not every Kafka serves them.
 *
 * Source: KIP-554; kafka.apache.org/protocol.
 */
const describeUserScramCredentials: Api = { name: 'DescribeUserScramCredentials', key: 50, version: 0 };
const alterUserScramCredentials: Api = { name: 'AlterUserScramCredentials', key: 51, version: 0 };

/** RESOURCE_NOT_FOUND: there is no such credential. */
const NOT_FOUND = 91;
const SALT_BYTES = 24;
/** Kafka takes 4,096 to 16,384. */
const ITERATIONS = 8_192;
const mechanisms = {
  'scram-sha-256': { number: 1, hash: 'sha256', bytes: 32 },
  'scram-sha-512': { number: 2, hash: 'sha512', bytes: 64 },
} as const;

export type ScramMechanism = keyof typeof mechanisms;

/** The SCRAM credentials of a cluster's users, which its brokers keep. */
export interface ScramCredentials {
  /** Makes or replaces a user's credential; brokers learn only keys that are derived from the password. */
  put(mechanism: ScramMechanism, user: UserPassword): Promise<void>;
  /** Deletes a user's credential, if there is one. */
  remove(mechanism: ScramMechanism, username: string): Promise<void>;
  /** Users with a credential, by name. */
  users(): Promise<string[]>;
  close(): void;
}

/** Opens them; connections are made when they are needed, as whom `access` says. */
export function openScramCredentials(access: KafkaAccess, clientId: string): ScramCredentials {
  const cluster = openCluster(access, clientId);
  const alter = async (attempted: string, body: RequestWriter, allowed: number): Promise<void> => {
    const answer = await (await cluster.any()).ask(alterUserScramCredentials, body);
    answer.int32();
    const codes = answer.array(() => {
      answer.text();
      const code = answer.int16();
      answer.nullableText();
      answer.tags();
      return code;
    });
    const refused = codes.find((code) => code !== kafkaCode.none && code !== allowed);
    if (refused !== undefined) throw new BrokerError(attempted, refused);
  };
  return {
    async put(mechanism, { username, password }) {
      const { number, hash, bytes } = mechanisms[mechanism];
      const salt = randomBytes(SALT_BYTES);
      const salted = await derive(Buffer.from(password), salt, ITERATIONS, bytes, hash);
      const body = new RequestWriter();
      body.array([], () => {});
      body.array([username], (name) => body.text(name).int8(number).int32(ITERATIONS).data(salt).data(salted).noTags());
      await alter(`Setting the SCRAM credential of ${username}`, body.noTags(), kafkaCode.none);
      salted.fill(0);
    },
    async remove(mechanism, username) {
      const body = new RequestWriter();
      body.array([username], (name) => body.text(name).int8(mechanisms[mechanism].number).noTags());
      body.array([], () => {});
      await alter(`Deleting the SCRAM credential of ${username}`, body.noTags(), NOT_FOUND);
    },
    async users() {
      // Null asks for all of them.
      const body = new RequestWriter().varint(0).noTags();
      const answer = await (await cluster.any()).ask(describeUserScramCredentials, body);
      answer.int32();
      refuseCode(answer.int16(), 'Listing the SCRAM credentials');
      answer.nullableText();
      return answer.array(() => {
        const user = answer.text();
        answer.int16();
        answer.nullableText();
        answer.array(() => {
          answer.int8();
          answer.int32();
          answer.tags();
        });
        answer.tags();
        return user;
      });
    },
    close: () => cluster.close(),
  };
}
