import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { javaClientArtifacts } from '../fetch/artifacts.ts';
import { mavenJars } from '../fetch/maven-jars.ts';
import { runProgram } from './run-program.ts';

const ownSources = join(import.meta.dirname, 'java');

/** A program in Java, compiled. */
export interface JavaProgram {
  /** @returns the JSON of the last line that it printed */
  run(env: Readonly<Record<string, string>>): Promise<unknown>;
  close(): void;
}

/**
 * Compiles a program.
 *
 * @param options.sources its folder; `java/` unless given
 * @param options.artifacts what it is compiled against; the clients unless given
 */
export function compileJava(
  name: string,
  options: { readonly sources?: string; readonly artifacts?: readonly string[] } = {},
): JavaProgram {
  const { sources = ownSources, artifacts = javaClientArtifacts } = options;
  const jars = mavenJars(artifacts);
  const classes = mkdtempSync(join(tmpdir(), 'penstock-java-'));
  try {
    const args = ['--release', '17', '-cp', jars, '-d', classes, join(sources, `${name}.java`)];
    execFileSync('javac', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    rmSync(classes, { recursive: true });
    throw error;
  }
  return {
    run: (env) => runProgram('java', ['-Xmx512m', '-cp', [jars, classes].join(delimiter), name], env),
    close: () => rmSync(classes, { recursive: true }),
  };
}
