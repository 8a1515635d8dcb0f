import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '..');

/** What libraries say to whoever runs the tests, who can do nothing about it. */
const LIBRARY_WARNINGS = ['TimeoutNegativeWarning', 'AutopaginateTrueWarning'];

/** One suite of `npm test`: a name, and how to run it. */
interface Suite {
  readonly name: string;
  readonly command: readonly string[];
}

interface Outcome {
  readonly name: string;
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** Test files below a folder of `test/`, sorted. */
export function testFiles(...folders: readonly string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, 'test', folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
        .map((entry) => relative(root, join(entry.parentPath, entry.name))),
    )
    .sort();
}

/**
 * Runs suites one after another, prints what fails and a closing line of counts for each.
 *
 * @returns the process' exit code: 1 when anything failed or a suite ran nothing
 */
export async function runSuites(suites: readonly Suite[]): Promise<number> {
  const outcomes: Outcome[] = [];
  for (const suite of suites) outcomes.push(await runSuite(suite));
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
  const seconds = outcomes.reduce((sum, outcome) => sum + outcome.seconds, 0);
  console.log('');
  for (const { name, ok, ...counts } of outcomes) console.log(`${ok ? '✔' : '✖'} ${closingLine(name, counts)}`);
  console.log(`all suites in ${seconds.toFixed(0)} s`);
  console.log(`${passed} passed, ${failed} failed`);
  return outcomes.every(({ ok }) => ok) ? 0 : 1;
}

function closingLine(name: string, counts: { passed: number; failed: number; seconds: number }): string {
  return `${name.padEnd(13)} ${counts.passed} passed, ${counts.failed} failed  (${counts.seconds.toFixed(1)} s)`;
}

async function runSuite({ name, command }: Suite): Promise<Outcome> {
  console.log(`\n── ${name}`);
  const startedAt = performance.now();
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let passed: number | undefined;
  let failed: number | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    // node --test closes with `ℹ pass 12`; everything that passed is counted there and needs no line of its own.
    passed = countIn(line, 'pass') ?? passed;
    failed = countIn(line, 'fail') ?? failed;
    if (!/^\s*(✔|ℹ|▶)/.test(line)) console.log(line);
  }
  const code = await new Promise<number | null>((settle) => {
    if (child.exitCode !== null) settle(child.exitCode);
    else child.on('exit', (exit) => settle(exit));
  });
  const isNodeTest = args.includes('--test');
  const ok = code === 0 && (!isNodeTest || (passed ?? 0) > 0);
  const outcome = {
    name,
    ok,
    passed: isNodeTest ? (passed ?? 0) : Number(ok),
    failed: isNodeTest ? Math.max(failed ?? 0, Number(!ok)) : Number(!ok),
    seconds: (performance.now() - startedAt) / 1000,
  };
  console.log(`${ok ? '✔' : '✖'} ${closingLine(name, outcome)}`);
  return outcome;
}

function countIn(line: string, word: string): number | undefined {
  const found = new RegExp(`^ℹ ${word} (\\d+)$`).exec(line)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Files with random inputs are a suite of their own: they take longer, and print a seed when they fail. */
function usesProperties(file: string): boolean {
  return readFileSync(join(root, file), 'utf8').includes("from 'fast-check'");
}

function nodeTest(name: string, files: readonly string[], concurrency = 2): Suite {
  const quiet = LIBRARY_WARNINGS.map((warning) => `--disable-warning=${warning}`);
  const command = [
    process.execPath,
    ...quiet,
    '--test',
    `--test-concurrency=${concurrency}`,
    '--test-timeout=180000',
    ...files,
  ];
  return { name, command };
}

if (import.meta.main) {
  const properties = testFiles('shared', 'deploy', 'functions').filter(usesProperties);
  const examples = (folder: string): string[] => testFiles(folder).filter((file) => !usesProperties(file));
  process.exitCode = await runSuites([
    { name: 'types', command: ['tsc', '--noEmit'] },
    { name: 'lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
    nodeTest('architecture', ['test/architecture.test.ts', 'test/docs.test.ts', 'test/defences.test.ts']),
    nodeTest('unit', [...examples('shared'), ...examples('bench')]),
    nodeTest('property', properties),
    nodeTest('laptop cloud', examples('deploy')),
    nodeTest('functions', examples('functions')),
    { name: 'build', command: [process.execPath, 'deploy/build.ts'] },
    nodeTest('end to end', testFiles('e2e'), 1),
  ]);
}
