import { loadDeclaration } from '../../shared/adapters/declaration/load-declaration.ts';
import { openIdTokens } from '../../shared/adapters/identity/id-tokens.ts';
import { openTelemetry } from '../../shared/adapters/telemetry/open-telemetry.ts';
import type { Telemetry } from '../../shared/adapters/telemetry/telemetry.ts';
import { type Environment, list, readEnvironment, text, wholeNumber } from '../../shared/base/environment.ts';
import { ConfigError, messageOf, PenstockError } from '../../shared/base/errors.ts';
import { jsonLog } from '../../shared/base/log.ts';
import { runKafkaSink } from './run-kafka-sink.ts';

const settings = {
  pipelines: list('PENSTOCK_PIPELINE', 'Name pipelines, separated by commas, or unset it for all'),
  identity: text('PENSTOCK_IDENTITY', 'Set it to the service account’s e-mail', ''),
  sessionTimeoutMs: wholeNumber('PENSTOCK_KAFKA_SESSION_MS', { min: 100, max: 1_800_000, fallback: 30_000 }),
};

/**
 * Runs the sink as its environment says, until the signal.
 *
 * @returns the process' exit code: 0 after the signal, 2 for a bad configuration, 1 for anything else
 */
export async function sinkExitCode(env: Environment, signal: AbortSignal): Promise<number> {
  const log = jsonLog('kafka-sink');
  let telemetry: Telemetry | undefined;
  try {
    const { pipelines, identity: given, sessionTimeoutMs } = readEnvironment(settings, env);
    const declaration = await loadDeclaration(env);
    const identity = given || (await ownEmail());
    telemetry = await openTelemetry(env, 'kafka-sink', log);
    log('INFO', 'Started');
    const options = { declaration, pipelines, sessionTimeoutMs, signal, log, identity, telemetry };
    await runKafkaSink({ ...options, untilCaughtUp: false });
    log('INFO', 'Ended');
    return 0;
  } catch (error) {
    log('ERROR', messageOf(error), error instanceof PenstockError ? { code: error.code, remedy: error.remedy } : {});
    return error instanceof ConfigError ? 2 : 1;
  } finally {
    await telemetry?.close();
  }
}

function ownEmail(): Promise<string> {
  return openIdTokens()
    .email()
    .catch(() => 'unknown');
}
