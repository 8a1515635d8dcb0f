import { openTrainer } from './server.ts';

/** Reads a whole number from the environment, or stops with what is wanted. */
function readPort(text: string | undefined): number {
  const port = Number(text ?? '0');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`PORT is ${text}: give 0 to 65535`);
  return port;
}

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is not set: it is needed to start the trainer`);
  return value;
}

async function main(): Promise<void> {
  const callers = process.env.PENSTOCK_CALLERS?.split(',')
    .map((email) => email.trim())
    .filter((email) => email !== '');
  const trainer = await openTrainer({
    port: readPort(process.env.PORT),
    dir: need('PENSTOCK_TRAINER_DIR'),
    verify: { issuer: need('PENSTOCK_OIDC_ISSUER'), ...(callers === undefined ? {} : { callers }) },
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void trainer.close());
  console.log(JSON.stringify({ ready: true, url: trainer.url }));
}

try {
  await main();
} catch (cause) {
  console.error(JSON.stringify({ severity: 'ERROR', message: cause instanceof Error ? cause.message : String(cause) }));
  process.exitCode = 1;
}
