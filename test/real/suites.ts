import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runSuites } from '../suites.ts';

const here = import.meta.dirname;
const TEST_TIMEOUT_MS = 180_000;

const filesOf = (folder: string): string[] =>
  readdirSync(join(here, folder))
    .filter((name) => name.endsWith('.test.ts'))
    .sort()
    .map((name) => join('test/real', folder, name));

/** Suites that need what no npm package holds, by the name that `npm run test:real -- NAME` takes. */
const suites: Readonly<Record<string, readonly string[]>> = {
  kafka: filesOf('kafka'),
  rotation: filesOf('rotation'),
  producers: filesOf('producers'),
  clients: filesOf('clients'),
  files: filesOf('files'),
  page: ['', '-login', '-approvals', '-attacks'].map((part) => `test/real/dashboard${part}.test.ts`),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in suites));
if (unknown.length > 0) {
  console.error(`No suite ${unknown.join(', ')}. Name some of: ${Object.keys(suites).join(', ')}`);
  process.exitCode = 2;
} else {
  const chosen = Object.entries(suites).filter(([name]) => asked.length === 0 || asked.includes(name));
  process.exitCode = await runSuites([
    { name: 'build', command: [process.execPath, 'deploy/build.ts', '--if-stale'] },
    ...chosen.flatMap(([name, files]) => [
      { name: `fetch ${name}`, command: [process.execPath, 'test/real/fetch/fetch.ts', name] },
      {
        name,
        command: [process.execPath, '--test', '--test-concurrency=1', `--test-timeout=${TEST_TIMEOUT_MS}`, ...files],
      },
    ]),
  ]);
}
