import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { command } from '../../../../functions/rotate-secrets/strategies/command.ts';
import { ProgramUnavailableError } from '../../../../functions/rotate-secrets/strategies/own-program.ts';
import { StrategyRefusedError } from '../../../../functions/rotate-secrets/strategies/strategy.ts';
import { writeProgram } from './write-program.ts';

const dir = mkdtempSync(join(tmpdir(), 'penstock-command-'));
after(() => rmSync(dir, { recursive: true }));
const SECRET = 'a value that nobody else may see';

function running(source: string, { args = [], timeoutMs = 60_000 }: { args?: string[]; timeoutMs?: number } = {}) {
  return command({ secret: 's', run: [writeProgram(dir, source), ...args], timeoutMs });
}

test('command() gives the question on standard input alone: no argument and no variable holds a value', async () => {
  process.env.PENSTOCK_TEST_KEY = SECRET;
  const seen = join(dir, 'seen');
  const source = `
    const { readFileSync, writeFileSync } = require('node:fs');
    const input = readFileSync(0, 'utf8');
    writeFileSync(${JSON.stringify(seen)}, JSON.stringify({ input, argv: process.argv.slice(2), env: process.env }));`;
  const args = ['--db', '$(touch injected); "quoted"'];
  await running(source, { args }).set(Buffer.from(SECRET), Buffer.from('other'));
  delete process.env.PENSTOCK_TEST_KEY;
  const { input, argv, env } = JSON.parse(readFileSync(seen, 'utf8'));
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  assert.deepEqual(JSON.parse(input), { secret: 's', step: 'set', value: base64(SECRET), other: base64('other') });
  assert.deepEqual(argv, args, 'no shell has read them');
  for (const shown of [SECRET, base64(SECRET)]) assert.ok(!JSON.stringify(env).includes(shown));
  assert.ok(!existsSync('injected'));
});

test('command() takes the value that the program made, and makes one where it made none', async () => {
  const made = await running(`process.stdout.write(JSON.stringify({ value: 'bWFkZQ==' }))`).create(undefined);
  assert.equal(made.toString(), 'made');
  const own = await running('').create(undefined);
  assert.match(own.toString(), /^[\w-]{43}$/);
});

test('command() ends a rotation by exit code 65, and tries again by all others', async () => {
  await assert.rejects(running('process.exit(65)').test(Buffer.from(SECRET)), (error: unknown) => {
    assert.ok(error instanceof StrategyRefusedError);
    assert.match(error.message, /refused step test/);
    return true;
  });
  for (const source of ['process.exit(1)', 'process.kill(process.pid, "SIGKILL")']) {
    await assert.rejects(running(source).set(Buffer.from(SECRET), undefined), ProgramUnavailableError);
  }
  const missing = command({ secret: 's', run: [join(dir, 'missing')], timeoutMs: 60_000 });
  await assert.rejects(missing.set(Buffer.from(SECRET), undefined), ProgramUnavailableError);
});

test('command() kills a program that does not end, with what it has started, and one that writes without end', async () => {
  const pids = join(dir, 'pids');
  const source = `
    const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    require('node:fs').writeFileSync(${JSON.stringify(pids)}, [process.pid, child.pid].join(' '));
    setInterval(() => {}, 1000);`;
  await assert.rejects(running(source, { timeoutMs: 3_000 }).set(Buffer.from(SECRET), undefined), /within 3000 ms/);
  // Where the machine was too busy for it to begin, nothing is left either.
  const left = existsSync(pids) ? readFileSync(pids, 'utf8').split(' ').map(Number) : [];
  const deadline = Date.now() + 60_000;
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  };
  while (left.some(isAlive) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(left.filter(isAlive), []);
  const endless = `const more = () => process.stdout.write('x'.repeat(65536), more); more();`;
  await assert.rejects(running(endless).create(undefined), /more than 131072 bytes/);
});

test('command() says nothing of values, nor of what the program wrote', async () => {
  const source = `console.error('${SECRET}'); console.log('${SECRET}'); process.exit(3)`;
  await assert.rejects(running(source).set(Buffer.from(SECRET), undefined), (error: unknown) => {
    assert.ok(error instanceof ProgramUnavailableError);
    assert.ok(!`${error.stack} ${error.cause}`.includes(SECRET));
    return true;
  });
});
