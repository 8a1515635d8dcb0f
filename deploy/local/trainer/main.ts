import { openTrainer } from './server.ts';

/*
 * The trainer as a process. From the environment:
 *   PENSTOCK_TRAINER_DIR             where epochs and checkpoints are kept
 *   PENSTOCK_OIDC_ISSUER             whose tokens are good, for the trainer's own URL as audience
 *   PENSTOCK_CALLERS                 emails that may call, with commas between; all of the issuer's when not set
 *   PORT                             0 or not set: a free one
 *   OTEL_EXPORTER_OTLP_ENDPOINT      where a span for each training step goes
 *   PENSTOCK_TRAINER_PASSES          over each epoch's training rows: 6
 *   PENSTOCK_TRAINER_SAVE_EVERY_MS   longest time between two checkpoints; 0: after each batch
 */

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: it is needed to start the trainer`);
  return value;
}

function readNumber(name: string, otherwise: number, max: number): number {
  const text = process.env[name] ?? '';
  const value = text === '' ? otherwise : Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new Error(`${name} is ${text}: give a whole number from 0 to ${max}`);
}

async function main(): Promise<void> {
  const emails = (process.env.PENSTOCK_CALLERS ?? '').split(',').map((email) => email.trim());
  const callers = emails.filter((email) => email !== '');
  const isTraced = (process.env.OTEL_EXPORTER_OTLP_ENDPOINT ?? '') !== '';
  const trace = isTraced ? (await import('./otlp-trace.ts')).openOtlpTrace('trainer') : undefined;
  const trainer = await openTrainer({
    port: readNumber('PORT', 0, 65_535),
    dir: need('PENSTOCK_TRAINER_DIR'),
    verify: { issuer: need('PENSTOCK_OIDC_ISSUER'), ...(callers.length === 0 ? {} : { callers }) },
    training: {
      passes: readNumber('PENSTOCK_TRAINER_PASSES', 6, 1_000),
      saveEveryMs: readNumber('PENSTOCK_TRAINER_SAVE_EVERY_MS', 1_000, 3_600_000),
      trace,
    },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void trainer.close().then(() => trace?.close()));
  console.log(JSON.stringify({ ready: true, url: trainer.url }));
}

try {
  await main();
} catch (cause) {
  console.error(JSON.stringify({ severity: 'ERROR', message: cause instanceof Error ? cause.message : String(cause) }));
  process.exitCode = 1;
}
