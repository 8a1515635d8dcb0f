import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildFunctions } from '../../build.ts';
import { exitCode, reportFailure } from '../output.ts';
import { count, openScreen, type Screen } from '../screen.ts';
import { openStack, type Stack } from '../stack/stack.ts';
import { type Fed, feedModel } from './feed-model.ts';
import { type Ingested, ingest } from './ingest.ts';
import { sinkSecret } from './rotate.ts';

const demoFolder = new URL('../../local/demo/', import.meta.url);

/** What `penstock demo` takes. */
export interface DemoOptions {
  readonly once?: boolean;
  readonly events: number;
  readonly data?: string;
  readonly json?: boolean;
}

/**
 * Runs the whole way on real flights: events into Kafka and Pub/Sub, rows into Spanner, a snapshot into a model.
 *
 * @returns the exit code: 0 only if nothing was lost or doubled, every row was seen once, and the model learned
 */
export async function demo(options: DemoOptions): Promise<number> {
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(
    () => 'interrupted' as const,
  );
  const stream = options.json ? process.stderr : process.stdout;
  const screen = openScreen(stream, stream.isTTY === true && process.env.CI === undefined);
  const startedAt = performance.now();
  let stack: Stack | undefined;
  try {
    screen.line('Penstock: events into Spanner exactly once, rows out as tensors, on this laptop.');
    await buildFunctions({ ifStale: true });
    stack = await openStack({
      ...(options.data === undefined ? {} : { dir: options.data }),
      rotating: sinkSecret,
      declaration: readFileSync(new URL('penstock.yaml', demoFolder), 'utf8'),
      beside: fileURLToPath(demoFolder),
      tables: readFileSync(new URL('tables.sql', demoFolder), 'utf8'),
    });
    screen.line(
      `Ready in ${seconds(startedAt)} s: Spanner, Kafka, Pub/Sub, an OIDC issuer, a trainer, and six functions.`,
    );
    screen.line(`The page: ${stack.dashboardUrl}`);
    const outcome = await Promise.race([wholeWay(stack, options.events, screen), interrupted]);
    if (outcome === 'interrupted') return 130;
    const total = Number(seconds(startedAt));
    const failures = whatFailed(outcome.ingested, outcome.fed);
    if (options.json) process.stdout.write(`${JSON.stringify(summaryObject(outcome.ingested, outcome.fed, total))}\n`);
    printSummary(screen, outcome, total, failures);
    if (!options.once) {
      printNext(screen, stack);
      await interrupted;
    }
    return failures.length === 0 ? exitCode.done : exitCode.failed;
  } catch (error) {
    screen.settle();
    return reportFailure(error);
  } finally {
    await stack?.close();
  }
}

interface WholeWay {
  readonly ingested: Ingested;
  readonly fed: Fed;
}

async function wholeWay(stack: Stack, events: number, screen: Screen): Promise<WholeWay> {
  const ingested = await ingest(stack, events, screen);
  const fed = await feedModel(stack, 'delays', screen);
  return { ingested, fed };
}

function whatFailed({ verdict, rotations }: Ingested, fed: Fed): string[] {
  const failed: string[] = [];
  if (rotations.count === 0) failed.push('the sink’s Kafka password was not rotated');
  if (rotations.failedBatches > 0) failed.push(`${count(rotations.failedBatches)} batches failed while it was`);
  if (verdict.lost > 0) failed.push(`${count(verdict.lost)} events were lost`);
  if (verdict.doubled > 0) failed.push(`${count(verdict.doubled)} events were counted twice`);
  if (verdict.deadLetters > 0) failed.push(`${count(verdict.deadLetters)} events were set aside`);
  if (fed.epoch.rows !== verdict.rows.Flights) {
    failed.push(`the epoch holds ${count(fed.epoch.rows)} of ${count(verdict.rows.Flights)} rows`);
  }
  if (fed.epoch.rowsSeenOnce !== fed.epoch.rows) {
    failed.push(`${count(fed.epoch.rowsSeenOnce)} of ${count(fed.epoch.rows)} rows entered each pass once`);
  }
  if (!(fed.training.lastLoss < fed.training.firstLoss)) failed.push('the loss did not fall');
  if (!(fed.training.auc > fed.training.baselineAuc)) failed.push('the model is no better than the base rate');
  return failed;
}

/** The object of `--json`; every figure was counted from Spanner, the brokers or the trainer. */
function summaryObject(
  { sent, verdict, rotations, seconds: ingestSeconds }: Ingested,
  fed: Fed,
  total: number,
): unknown {
  return {
    events: sent,
    ...verdict,
    rotations,
    epoch: fed.epoch,
    training: fed.training,
    seconds: { ingest: ingestSeconds, feed: fed.seconds, total },
  };
}

function printSummary(screen: Screen, { ingested, fed }: WholeWay, total: number, failures: readonly string[]): void {
  const { sent, verdict, rotations } = ingested;
  const { epoch, training } = fed;
  screen.line();
  screen.line(failures.length === 0 ? `Proven in ${total} s:` : `It did not hold, after ${total} s:`);
  for (const failure of failures) screen.line(`  ✖ ${failure}`);
  screen.line(`  events in    ${count(sent.kafka)} through Kafka, ${count(sent.pubsub)} through Pub/Sub`);
  screen.line(`  rows         ${count(verdict.rows.Flights)} flights, ${count(verdict.rows.Airports)} airports`);
  screen.line(`  lost         ${count(verdict.lost)}`);
  screen.line(`  doubled      ${count(verdict.doubled)}, held against counters that a replay would break`);
  screen.line(`  set aside    ${count(verdict.deadLetters)}`);
  screen.line(
    `  rotations    ${count(rotations.count)} of the sink’s Kafka password, under load; ${count(rotations.failedBatches)} batches failed`,
  );
  screen.line(`  epoch        ${epoch.id} at ${epoch.readTimestamp}`);
  screen.line(`               ${count(epoch.rows)} rows in ${count(epoch.batches)} batches of ${epoch.shards} shards`);
  screen.line(`  seen once    ${count(epoch.rowsSeenOnce)} of ${count(epoch.rows)} rows, in every pass`);
  screen.line(
    `  loss         ${training.firstLoss.toFixed(3)} → ${training.lastLoss.toFixed(3)} in ${count(training.steps)} steps`,
  );
  screen.line(
    `  held-out AUC ${training.auc.toFixed(3)}, against ${training.baselineAuc.toFixed(3)} of the base rate by origin`,
  );
}

function printNext(screen: Screen, stack: Stack): void {
  const { SPANNER_EMULATOR_HOST, KAFKA_BROKERS } = stack.cloud.env;
  screen.line();
  screen.line('Three things to try next:');
  screen.line(`  1. Open ${stack.dashboardUrl} and look at the epoch, the loss and the lineage.`);
  screen.line(`  2. Query the tables with any Spanner client: SPANNER_EMULATOR_HOST=${SPANNER_EMULATOR_HOST}.`);
  screen.line(`  3. Send a broken event to topic flights at ${KAFKA_BROKERS}, and find it under dead letters.`);
  screen.line();
  screen.line('Ctrl-C ends everything.');
}

function seconds(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}
