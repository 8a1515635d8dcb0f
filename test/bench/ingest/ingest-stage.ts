import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, Spanner } from '@google-cloud/spanner';
import { type Flight, readFlights } from '../../../deploy/cli/demo/flights.ts';
import { sendFlights } from '../../../deploy/cli/demo/send-events.ts';
import { createTopic } from '../../../deploy/cli/stack/create-topic.ts';
import { controlSchema, createOnEmulator, migrate } from '../../../deploy/gcp/migrate.ts';
import { readDeclaration } from '../../../shared/model/config/read-declaration.ts';
import { PARTITIONS, topic } from './topic.ts';

/** A database of its own for one run of a sink, with the declaration that points at it. */
export interface RunTarget {
  readonly database: Database;
  readonly name: string;
  readonly group: string;
  readonly declarationPath: string;
}

/** The demo's pipeline of flights. */
function declarationText(database: string, group: string, ofTopic: string): string {
  return `
spanner: { database: ${database} }
kafka: { brokers: "\${KAFKA_BROKERS}" }
pipelines:
  flights:
    source: { kafka: { topic: ${ofTopic}, group: ${group} } }
    format: json
    table: Flights
    mode: upsert
    columns:
      FlightId: { key: true }
      DepartedAt: { field: date, as: timestamp, format: yyyy/MM/dd HH:mm, zone: America/Chicago }
      DelayMinutes: { field: delay }
      DistanceMiles: { field: distance }
      Origin: { field: origin }
      Destination: { field: destination }
    batch: { maxRows: 5000, maxBytes: 4MiB, linger: 50ms }
`;
}

/** Fills a topic with real flights, as often as wanted. */
export async function fillTopic(brokers: string, name: string, flights: number, times = 1): Promise<void> {
  await createTopic([brokers], { name, partitions: PARTITIONS, maxMessageBytes: 1024 * 1024 });
  await sendFlights([brokers], name, repeatFlights(flights, times), () => {});
}

/** Reading many flights takes longer than sending them: they are read once. */
async function* repeatFlights(count: number, times: number): AsyncGenerator<readonly Flight[]> {
  const chunks: Flight[][] = [];
  for await (const chunk of readFlights(count)) {
    chunks.push(chunk);
    yield chunk;
  }
  for (let time = 1; time < times; time += 1) yield* chunks;
}

/** Makes databases of their own for each run, named one after the other. */
export function openTargets(env: Readonly<Record<string, string>>, dir: string) {
  Object.assign(process.env, env, { METADATA_SERVER_DETECTION: 'none' });
  const project = env.GOOGLE_CLOUD_PROJECT ?? '';
  const spanner = new Spanner({ projectId: project });
  let made = 0;
  return {
    async next(ofTopic = topic): Promise<RunTarget> {
      made += 1;
      const name = `projects/${project}/instances/bench/databases/bench${made}`;
      const group = `bench-${made}`;
      await createOnEmulator(spanner, name);
      const database = spanner.instance('bench').database(`bench${made}`);
      await migrate(
        database,
        await readFile(new URL('../../../deploy/local/demo/tables.sql', import.meta.url), 'utf8'),
      );
      await migrate(database, controlSchema);
      const { declaration } = readDeclaration({
        file: 'bench.yaml',
        text: declarationText(name, group, ofTopic),
        env,
        sections: ['spanner', 'kafka', 'pipelines'],
      });
      const declarationPath = join(dir, `declaration-${made}.json`);
      writeFileSync(declarationPath, JSON.stringify(declaration));
      return { database, name, group, declarationPath };
    },
    close: () => spanner.close(),
  };
}
