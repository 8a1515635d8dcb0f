import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { list, readEnvironment, text } from '../../shared/base/environment.ts';
import { ConfigError, messageOf, PenstockError } from '../../shared/base/errors.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { runKafkaSink } from './run-kafka-sink.ts';

/** Cloud Run kills an instance 10 s after SIGTERM. */
const GRACE_MS = 8_000;

const settings = {
  pipelines: list('PENSTOCK_PIPELINE', 'Name pipelines, separated by commas, or unset it for all'),
  identity: text('PENSTOCK_IDENTITY', 'Set it to the service account’s e-mail', ''),
};

const log = jsonLog('kafka-sink');

/** Runs the worker until SIGTERM or SIGINT; the exit code is 0 then, 2 for a bad configuration, 1 for anything else. */
async function main(): Promise<number> {
  const ending = new AbortController();
  const end = () => {
    ending.abort();
    // A commit that hangs must not hold the process beyond its grace: what it did, the checkpoint knows.
    setTimeout(() => process.exit(0), GRACE_MS).unref();
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end);
  try {
    const { pipelines, identity } = readEnvironment(settings, process.env);
    const declaration = await loadDeclaration(process.env);
    const email =
      identity ||
      (await openIdTokens()
        .email()
        .catch(() => 'unknown'));
    log('INFO', 'Started');
    await runKafkaSink({ declaration, pipelines, untilCaughtUp: false, signal: ending.signal, log, identity: email });
    log('INFO', 'Ended');
    return 0;
  } catch (error) {
    log('ERROR', messageOf(error), error instanceof PenstockError ? { code: error.code, remedy: error.remedy } : {});
    return error instanceof ConfigError ? 2 : 1;
  }
}

void main().then((code) => {
  process.exitCode = code;
});
