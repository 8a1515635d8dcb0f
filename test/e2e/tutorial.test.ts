import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const launch = join(root, 'deploy/cli/launch.js');

/** The nth code block of a language in the tutorial, without its indentation. */
function block(language: string): string {
  const page = readFileSync(join(root, 'docs/tutorial.md'), 'utf8');
  const found = new RegExp(`^ {3}\`\`\`${language}\\n([\\s\\S]*?)^ {3}\`\`\``, 'm').exec(page)?.[1];
  assert.ok(found, `docs/tutorial.md has no ${language} block`);
  return found.replaceAll(/^ {3}/gm, '');
}

test('the tutorial works as it is written', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tutorial-'));
  const cloud = spawn(process.execPath, [launch, 'local', '--json', '--data', join(dir, 'data')]);
  try {
    const ready = await new Promise<string>((settle) => createInterface({ input: cloud.stdout }).once('line', settle));
    const env = { ...process.env, ...JSON.parse(ready).env };
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
    writeFileSync(join(dir, 'penstock.yaml'), block('yaml'));
    writeFileSync(join(dir, 'orders.mjs'), block('js'));
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: dir, env, encoding: 'utf8' });
      assert.equal(status, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
      return stdout;
    };
    run(launch, 'check');
    run(launch, 'migrate');
    run('orders.mjs');
    const sink = () => JSON.parse(run(launch, 'run', 'kafka-sink', '--until-caught-up', '--json'));
    const first = sink().pipelines.orders;
    assert.deepEqual([first.rows, first.deadLetters], [2, 1]);
    assert.deepEqual(sink().pipelines, {}, 'the second run wrote again');

    const letter = JSON.parse(run(launch, 'dead-letters', 'list', '--json'));
    assert.equal(letter.class, 'undecodable');
    const shown = JSON.parse(run(launch, 'dead-letters', 'show', 'orders', letter.id, '--json'));
    assert.equal(Buffer.from(shown.value, 'base64').toString(), 'not JSON');
    const redriven = spawnSync(process.execPath, [launch, 'dead-letters', 'redrive', 'orders', '--json'], {
      cwd: dir,
      env,
    });
    assert.equal(redriven.status, 1, 'what is still poison was redriven');
  } finally {
    cloud.kill('SIGTERM');
    await new Promise((settle) => cloud.once('exit', settle));
    rmSync(dir, { recursive: true });
  }
});
