import { openSpannerChannel, type SpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { openPipeline } from '../../../shared/adapters/spanner/ingest/open-pipeline.ts';
import { redriveAll } from '../../../shared/adapters/spanner/ingest/redrive-all.ts';
import {
  type RedriveOptions,
  type RedriveOutcome,
  redriveDeadLetters,
} from '../../../shared/adapters/spanner/ingest/redrive-dead-letters.ts';
import { readTableSchema } from '../../../shared/adapters/spanner/read-table-schema.ts';
import { audit, auditAttempts } from '../../../shared/base/audit.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import { jsonLog, type Log } from '../../../shared/base/log.ts';
import { openCredentialSources } from '../../../shared/connect/credential-sources.ts';
import { openDeclaredRegistry } from '../../../shared/connect/declared-registry.ts';
import type { GuardedAct } from '../../../shared/connect/second-person.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { CompiledPipeline } from '../../../shared/model/events/compile-pipeline.ts';
import { pipelineVersion } from '../../../shared/model/events/records/pipeline-version.ts';
import type { SchemaBook } from '../../../shared/model/formats/schema-book.ts';
import type { Output } from '../output.ts';
import { doOwn, openOwnAuthority } from '../own-authority.ts';
import { ownIdentity } from '../own-identity.ts';
import { readConfig } from '../read-config.ts';
import { type LetterChoice, sinceMs, unknownLetter } from './dead-letters.ts';

const DEADLINE_MS = 15_000;
const PROGRESS_EVERY_MS = 1_000;

/** What `penstock dead-letters redrive` takes. */
export interface RedriveCommand extends LetterChoice {
  readonly config: string;
  readonly pipeline: string;
  /** One letter; all that the choice means when left out. */
  readonly id?: string;
}

/** Sends one dead letter, or all that are meant, through today's pipeline again; exit code 1 when one is still poison. */
export async function redrive(command: RedriveCommand, output: Output): Promise<void> {
  const { declaration } = await readConfig(command.config, ['spanner', 'registry']);
  if (command.id !== undefined && (command.class !== undefined || command.since !== undefined)) {
    const remedy = 'Name one letter, or choose by --class and --since';
    throw new ConfigError([{ path: 'ID', message: 'is given beside --class or --since', remedy }]);
  }
  const choice = { class: command.class, sinceMs: sinceMs(command.since) };
  const { database } = declaration.spanner;
  const log = jsonLog('penstock');
  const own = await openOwnAuthority(declaration, log);
  const by = own?.asker.name ?? (await ownIdentity(process.env));
  const audited = (action: string) => auditAttempts(log, action, by);
  const channel = openSpannerChannel(database, process.env, { onAttempt: audited('spanner.connect') });
  const sources = openCredentialSources({ database, log, onAttempt: audited('secret.read') });
  const schemas =
    declaration.registry && (await openDeclaredRegistry(declaration.registry, sources, audited('registry.read')));
  try {
    const compiled = await compileNow(channel, declaration, command.pipeline, schemas);
    const options = { by };
    const told = teller(command.pipeline, by, { log, output });
    const { id } = command;
    const act: GuardedAct = {
      action: 'redrive',
      resource: { type: 'Pipeline', name: command.pipeline },
      about: { all: id === undefined },
      content: {
        pipelineVersion: pipelineVersion(compiled.pipeline),
        id: id ?? null,
        class: command.class ?? null,
        since: command.since ?? null,
      },
    };
    await doOwn(declaration, own, act, async () => {
      if (id === undefined) await redriveChosen({ channel, compiled, choice, options, told, output });
      else await redriveOne(channel, compiled, id, options, told);
    });
    if (told.poisonCount() > 0) process.exitCode = 1;
  } finally {
    schemas?.close();
    await sources.close();
    channel.close();
  }
}

interface Teller {
  tell(id: string, outcome: RedriveOutcome): void;
  poisonCount(): number;
}

/** Prints each outcome, and leaves an audit line of it. */
function teller(pipeline: string, by: string, { log, output }: { readonly log: Log; readonly output: Output }): Teller {
  let poisonCount = 0;
  return {
    tell(id, outcome) {
      if (outcome.outcome === 'poison') poisonCount += 1;
      output.result({ pipeline, id, ...outcome }, wordOutcome(id, outcome));
      const { outcome: result, ...why } = outcome;
      const ended = result === 'poison' ? 'refused' : 'done';
      const resource = `PenstockDeadLetters/${pipeline}/${id}`;
      audit(log, {
        action: 'dead-letter.redrive',
        identity: by,
        resource,
        outcome: ended,
        details: { result, ...why },
      });
    },
    poisonCount: () => poisonCount,
  };
}

async function redriveOne(
  channel: SpannerChannel,
  compiled: CompiledPipeline,
  id: string,
  options: RedriveOptions,
  told: Teller,
): Promise<void> {
  const [outcome] = await redriveDeadLetters(channel, compiled, [id], options);
  if (!outcome || outcome.outcome === 'unknown') throw unknownLetter({ pipeline: compiled.pipeline.name, id });
  told.tell(id, outcome);
}

async function redriveChosen({
  channel,
  compiled,
  choice,
  options,
  told,
  output,
}: {
  readonly channel: SpannerChannel;
  readonly compiled: CompiledPipeline;
  readonly choice: Parameters<typeof redriveAll>[2];
  readonly options: RedriveOptions;
  readonly told: Teller;
  readonly output: Output;
}): Promise<void> {
  let toldAt = performance.now();
  let doneCount = 0;
  for await (const step of redriveAll(channel, compiled, choice, options)) {
    told.tell(step.letter.id, step.result);
    doneCount = step.doneCount;
    if (performance.now() - toldAt < PROGRESS_EVERY_MS) continue;
    toldAt = performance.now();
    output.progress(`${step.doneCount} of ${step.totalCount} letters tried, ${told.poisonCount()} still set aside`);
  }
  if (doneCount === 0) output.progress('Nothing is waiting to be redriven.');
  else output.progress(`${doneCount} letters tried, ${told.poisonCount()} still set aside`);
}

async function compileNow(
  channel: SpannerChannel,
  declaration: Declaration,
  name: string,
  schemas: SchemaBook | undefined,
): Promise<CompiledPipeline> {
  const pipeline = declaration.pipelines[name];
  if (!pipeline) {
    const names = Object.keys(declaration.pipelines).join(', ');
    throw new ConfigError([{ path: `pipelines.${name}`, message: 'is not declared', remedy: `Name one of: ${names}` }]);
  }
  const readTable = (table: string) => readTableSchema(channel, table, DEADLINE_MS);
  return await openPipeline({ database: channel.database, readTable }, pipeline, schemas);
}

function wordOutcome(id: string, outcome: RedriveOutcome): string {
  const shown = JSON.stringify(id);
  if (outcome.outcome === 'poison') return `${shown} is still set aside: ${JSON.stringify(outcome.reason)}`;
  if (outcome.outcome === 'skipped') return `${shown}: the table holds something newer; nothing was written`;
  if (outcome.outcome === 'unknown') return `${shown} is gone`;
  return outcome.outcome === 'redriven' ? `${shown} is in the table now` : `${shown} was redriven before`;
}
