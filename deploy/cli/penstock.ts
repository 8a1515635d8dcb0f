import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { exitCode, openOutput, reportFailure } from './output.ts';

const config = (): Option => new Option('--config <file>', 'the declaration').default('./penstock.yaml');
const poisonClass = (): Option =>
  new Option('--class <class>', 'of this class alone').choices([
    'undecodable',
    'unmappable',
    'constraint',
    'too-large',
    'conflict',
  ]);
const since = (): Option => new Option('--since <time>', 'set aside since then: RFC 3339, or how long ago, as 2h');
const json = (): Option => new Option('--json', 'print JSON: one object, or one a line');

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Commands are imported when they run: `penstock check` does not pay for the Spanner client. */
function buildProgram(): Command {
  const program = new Command('penstock')
    .description('Events into Spanner exactly once; rows out of Spanner as tensor batches read at one timestamp.')
    .exitOverride()
    .showHelpAfterError('Run `penstock --help` for the commands.');

  program
    .command('demo')
    .description('run the whole way on real flights, on the embedded cloud')
    .option('--once', 'end when the demo has ended; exit 0 only if everything held')
    .option('--events <n>', 'flights to send', wholeNumber(1, 3_000_000), 10_000)
    .option('--data <dir>', 'keep state in this directory')
    .addOption(json())
    .action(async (options) => {
      const { demo } = await import('./demo/demo.ts');
      process.exitCode = await demo(options);
    });

  program
    .command('local')
    .description("start the laptop's cloud alone")
    .option('--data <dir>', 'keep state in this directory')
    .addOption(json())
    .action(async (options) => (await import('./commands/local.ts')).local(options));

  program
    .command('check')
    .description('check the declaration; every mistake at once')
    .addOption(config())
    .option('--compile <file>', 'write the compiled declaration that functions deploy with')
    .addOption(json())
    .action(async (options) => (await import('./commands/check.ts')).check(options, openOutput(Boolean(options.json))));

  program
    .command('schema')
    .description("print the declaration's JSON Schema, for editors")
    .action(async () => (await import('./commands/check.ts')).printSchema());

  program
    .command('migrate')
    .description('create or update the control tables; safe to repeat')
    .addOption(config())
    .option('--tables', 'create the tables of pipelines too, where they are missing, as plan-table prints them')
    .option('--access', 'create the database roles of the functions too, with the grants that plan-access prints')
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/migrate.ts')).migrateCommand(options, openOutput(Boolean(options.json))),
    );

  program
    .command('plan-table')
    .description('print the DDL of the tables that a pipeline needs, from its declaration and its schema')
    .argument('<pipeline>')
    .addOption(config())
    .addOption(json())
    .action(async (pipeline, options) =>
      (await import('./commands/plan-table.ts')).planTable({ ...options, pipeline }, openOutput(Boolean(options.json))),
    );

  program
    .command('plan-access')
    .description(
      'print the database role, grants and IAM bindings of each function: what this declaration needs, no more',
    )
    .addOption(config())
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/plan-access.ts')).planAccess(options, openOutput(Boolean(options.json))),
    );

  const run = program.command('run').description('run a worker in the foreground');
  run
    .command('kafka-sink')
    .description('Kafka to Spanner, until stopped')
    .addOption(config())
    .option('--pipeline <name>', 'this pipeline alone')
    .option('--until-caught-up', 'end when every partition has been read to its end')
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/run-sink.ts')).runSink(options, openOutput(Boolean(options.json))),
    );

  program
    .command('serve')
    .description('serve every HTTP function on one port at /<function>')
    .addOption(config())
    .option('--port <n>', 'the port', wholeNumber(0, 65_535), 8080)
    .addOption(json())
    .action(async (options) => (await import('./commands/serve.ts')).serve(options, openOutput(Boolean(options.json))));

  addAccessCommands(program);
  addIdentityCommands(program);
  addApprovalCommands(program);
  addAuditCommands(program);
  addEpochCommands(program);
  addDeadLetterCommands(program);
  addRotateCommand(program);
  addSecretCommands(program);
  addCheckpointCommands(program);

  addLineageCommand(program);
  addRebuildCommand(program);
  return program;
}

function addAuditCommands(program: Command): void {
  const audit = program
    .command('audit')
    .description('whether audit lines are whole: none missing, changed or out of its place')
    .argument('<file>', 'lines of the log as JSON, one a line')
    .addOption(json())
    .action(async (file, options) =>
      (await import('./commands/audit.ts')).checkAudit({ file }, openOutput(Boolean(options.json))),
    );
  audit
    .command('report')
    .description('who had access, who used it, who was refused, which secrets were overdue, who approved what')
    .argument('<file>', 'lines of the log as JSON, one a line')
    .requiredOption('--from <time>', 'RFC 3339, or a day: its begin in UTC')
    .option('--to <time>', 'until before then; now unless given')
    .addOption(config())
    .addOption(json())
    .action(async (file, own, command) => {
      // `audit` has --json too, and takes it.
      const isJson = Boolean(command.optsWithGlobals().json);
      await (await import('./commands/audit-report.ts')).reportAudit({ ...own, file }, openOutput(isJson));
    });
}

function addRotateCommand(program: Command): void {
  program
    .command('rotate')
    .description('rotate a secret, or go on with a rotation that was left')
    .argument('<secret>', 'as the declaration names it')
    .option('--dry-run', 'say what would be done; nothing is changed')
    .option('--back', 'make the version before current again, while it lives')
    .option('--now', 'the value is in wrong hands: the old version ends at once, no overlap is waited for')
    .option('--id <id>', 'the same for a request that is repeated')
    .addOption(config())
    .addOption(json())
    .action(async (secret, options) =>
      (await import('./commands/rotate.ts')).rotate({ ...options, secret }, openOutput(Boolean(options.json))),
    );
}

function addSecretCommands(program: Command): void {
  const secrets = program.command('secrets').description('where the secrets that rotate stand');
  secrets
    .command('list')
    .description('versions, ages, next rotations, what is under way and what failed, worst first')
    .argument('[secret]', 'this one alone')
    .addOption(config())
    .addOption(json())
    .action(async (secret, options) =>
      (await import('./commands/list-secrets.ts')).listSecrets(
        { ...options, secret },
        openOutput(Boolean(options.json)),
      ),
    );
}

function addRebuildCommand(program: Command): void {
  program
    .command('rebuild')
    .description('make a delivered batch again, byte for byte, while Spanner keeps its rows')
    .argument('<epoch>')
    .argument('<shard>', 'number of the shard', wholeNumber(0, 1_000_000))
    .argument('<sequence>', 'number of the batch within the shard', wholeNumber(0, 2 ** 31))
    .option('--out <file>', 'write the bytes there')
    .option('--expect <digest>', 'fail unless it has this Content-Digest, or this SHA-256 in hexadecimal digits')
    .addOption(config())
    .addOption(json())
    .action(async (epoch, shard, sequence, options) =>
      (await import('./commands/rebuild.ts')).rebuild(
        { ...options, epoch, shard, sequence },
        openOutput(Boolean(options.json)),
      ),
    );
}

function addLineageCommand(program: Command): void {
  program
    .command('lineage')
    .description('name what a batch, a row or an offset came from, or became')
    .argument('[epoch]', 'of a batch: offsets, read timestamp, columns, identity')
    .argument('[shard]', 'number of the shard', wholeNumber(0, 1_000_000))
    .argument('[sequence]', 'number of the batch within the shard', wholeNumber(0, 2 ** 31))
    .option('--committed-at <time>', "which offsets made a row's commit timestamp")
    .option('--table <name>', 'with --committed-at: by the pipelines of this table alone')
    .option('--scan', 'with --committed-at: read all lineage, for topics that were recreated')
    .option('--topic <name>', 'which commit took a record of this topic')
    .option('--partition <n>', 'with --topic: the partition', wholeNumber(0, 2 ** 31 - 1), 0)
    .option('--offset <n>', 'with --topic: the offset')
    .option('--pipeline <name>', 'of this pipeline alone')
    .addOption(config())
    .addOption(json())
    .action(async (epoch, shard, sequence, options) => {
      const output = openOutput(Boolean(options.json));
      if (epoch === undefined) return (await import('./commands/commit-lineage.ts')).commitLineage(options, output);
      if (sequence === undefined) throw new InvalidArgumentError('A batch is named by EPOCH SHARD SEQ.');
      return (await import('./commands/lineage.ts')).lineage({ ...options, epoch, shard, sequence }, output);
    });
}

function addIdentityCommands(program: Command): void {
  const identity = program.command('identity').description('identities without keys');
  identity
    .command('wif')
    .description('write the credential configuration of a workload outside Google Cloud: workload identity federation')
    .addOption(
      new Option('--from <source>', 'where the workload has its own identity from')
        .choices(['okta', 'entra', 'aws', 'file'])
        .makeOptionMandatory(),
    )
    .requiredOption('--pool <name>', 'projects/NUMBER/locations/global/workloadIdentityPools/POOL')
    .requiredOption('--provider <id>', "the pool's provider")
    .requiredOption('--service-account <email>', 'whom it acts as')
    .option('--token-file <file>', 'okta, file: where its token lies, kept fresh by something else')
    .option('--field <name>', 'file: the field of its JSON that holds the token; without it, the file is the token')
    .option('--resource <uri>', 'entra: the application id URI that the token is for')
    .option('--endpoint <url>', "the laptop's issuer, in place of Google's token exchange")
    .option('--out <file>', 'write it there')
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/identity.ts')).wif(options, openOutput(Boolean(options.json))),
    );
}

function addAccessCommands(program: Command): void {
  const access = program.command('access').description('who may do what, by the declared policies');
  access
    .command('explain')
    .description('whether somebody may do something, and which policies decide it')
    .argument('<who>', 'an e-mail address, or ISSUER#SUBJECT')
    .argument('<action>', 'trigger, approve, redrive, rotate, acceptCheckpoint, readColumns or view')
    .argument('<what>', 'Feed/NAME, Pipeline/NAME, Secret/NAME, Function/NAME or Column/TABLE.COLUMN')
    .option('--issuer <url>', 'who says so: the issuer of the token')
    .option('--group <name...>', 'groups of the token')
    .option('--feed <name>', 'readColumns: for this feed')
    .option('--door <function>', 'where it is asked')
    .option('--approved', 'as if somebody else had approved it')
    .option('--all', 'everything that waits, not one record')
    .option('--back', 'a rotation back to the version before')
    .option('--sensitive', 'sensitive columns are among what is read')
    .option('--at <time>', 'as if it were then, RFC 3339')
    .addOption(config())
    .addOption(json())
    .action(async (who, action, what, options) =>
      (await import('./commands/access.ts')).explainAccess(
        { ...options, who, action, what },
        openOutput(Boolean(options.json)),
      ),
    );
  access
    .command('test')
    .description("run the policies' own examples, policies/*.test.yaml")
    .addOption(config())
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/access.ts')).testAccess(options, openOutput(Boolean(options.json))),
    );
}

function addApprovalCommands(program: Command): void {
  const approvals = program.command('approvals').description('what waits for a second person, and what became of it');
  approvals
    .command('list')
    .option('--all', 'those that were decided, ran or expired too')
    .option('--limit <n>', 'how many, newest first', wholeNumber(1, 10_000), 100)
    .addOption(config())
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/approvals.ts')).listApprovals(options, openOutput(Boolean(options.json))),
    );
  approvals
    .command('show')
    .argument('<id>')
    .addOption(config())
    .addOption(json())
    .action(async (id, options) =>
      (await import('./commands/approvals.ts')).showApproval({ ...options, id }, openOutput(Boolean(options.json))),
    );
  for (const [says, what] of [
    ['approve', 'say yes to what somebody else asks for, as it is printed'],
    ['deny', 'say no, or take back what you asked for'],
  ] as const) {
    approvals
      .command(says)
      .description(what)
      .argument('<id>')
      .option('--reason <text>', 'why, for whoever asked')
      .addOption(config())
      .addOption(json())
      .action(async (id, options) =>
        (await import('./commands/approvals.ts')).decide(says, { ...options, id }, openOutput(Boolean(options.json))),
      );
  }
}

function addEpochCommands(program: Command): void {
  const epoch = program.command('epoch').description('snapshots of a table on their way to a trainer');
  epoch
    .command('start')
    .description('pin a read timestamp, plan the shards, and have them read')
    .argument('<feed>')
    .addOption(config())
    .option('--wait', 'end when every shard is delivered')
    .option('--fit-from <epoch>', 'take the fitted transforms of an earlier epoch')
    .option('--here', "plan and read in this command's own process")
    .option('--readers <n>', 'shards read at once, with --here', wholeNumber(1, 64), 2)
    .addOption(json())
    .action(async (feed, options) =>
      (await import('./commands/epoch.ts')).startEpoch({ ...options, feed }, openOutput(Boolean(options.json))),
    );
  epoch
    .command('show')
    .description('where an epoch and its shards stand')
    .argument('<id>')
    .option('--watch', 'live, until it is delivered or has failed')
    .option('--fit', 'what its transforms learned, one a line')
    .addOption(config())
    .addOption(json())
    .action(async (id, options) =>
      (await import('./commands/show-epoch.ts')).showEpoch({ ...options, id }, openOutput(Boolean(options.json))),
    );
}

function addCheckpointCommands(program: Command): void {
  const checkpoints = program.command('checkpoints').description('where the partitions of pipelines stand');
  checkpoints
    .command('list')
    .argument('[pipeline]', 'of this pipeline alone')
    .addOption(config())
    .addOption(json())
    .action(async (pipeline, options) =>
      (await import('./commands/checkpoints.ts')).listCheckpoints(
        { ...options, pipeline },
        openOutput(Boolean(options.json)),
      ),
    );
  checkpoints
    .command('accept')
    .description('read a topic that was made anew, or has lost unread records, from where its log begins now')
    .argument('<pipeline>')
    .argument('<topic>')
    .option('--yes', 'do it; without this, what would be done is printed')
    .addOption(config())
    .addOption(json())
    .action(async (pipeline, topic, options) =>
      (await import('./commands/checkpoints.ts')).acceptCheckpoints(
        { ...options, pipeline, topic },
        openOutput(Boolean(options.json)),
      ),
    );
}

function addDeadLetterCommands(program: Command): void {
  const letters = program.command('dead-letters').description('records that could not become rows');
  letters
    .command('list')
    .option('--pipeline <name>', 'of this pipeline alone')
    .addOption(poisonClass())
    .addOption(since())
    .option('--open', 'only those that were not redriven')
    .option('--limit <n>', 'how many, newest first', wholeNumber(1, 10_000_000), 50)
    .addOption(config())
    .addOption(json())
    .action(async (options) =>
      (await import('./commands/dead-letters.ts')).listDeadLetters(options, openOutput(Boolean(options.json))),
    );
  letters
    .command('show')
    .argument('<pipeline>')
    .argument('<id>')
    .addOption(config())
    .addOption(json())
    .action(async (pipeline, id, options) =>
      (await import('./commands/dead-letters.ts')).showDeadLetter(
        { ...options, pipeline, id },
        openOutput(Boolean(options.json)),
      ),
    );
  letters
    .command('redrive')
    .description("send through today's pipeline again, exactly once")
    .argument('<pipeline>')
    .argument('[id]', 'one; all that wait when left out')
    .addOption(poisonClass())
    .addOption(since())
    .addOption(config())
    .addOption(json())
    .action(async (pipeline, id, options) =>
      (await import('./commands/redrive.ts')).redrive({ ...options, pipeline, id }, openOutput(Boolean(options.json))),
    );
}

/** An emulator asks for no credentials: without this Google's libraries search for a metadata server, and warn. */
function quietOnEmulator(env: NodeJS.ProcessEnv): void {
  if (env.SPANNER_EMULATOR_HOST && !env.GCE_METADATA_HOST) env.METADATA_SERVER_DETECTION ??= 'none';
}

async function main(): Promise<void> {
  const [major] = process.versions.node.split('.');
  if (major !== '24')
    throw new Error(`penstock runs on Node 24, not ${process.version}: start it with \`npx penstock\``);
  quietOnEmulator(process.env);
  const program = buildProgram();
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? exitCode.done : exitCode.badUsage;
    } else {
      process.exitCode = reportFailure(error);
    }
  }
}

await main();
