import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const cache = resolve(import.meta.dirname, '../../../.cache/maven');
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
const TIMEOUT_MS = 300_000;

/**
 * Fetches artifacts with all that they depend on, unless an earlier run has.
 *
 * @param artifacts `group:artifact:version` each
 * @returns the class path
 * @throws {Error} when Maven fails; nothing half-fetched is left behind
 */
export function mavenJars(artifacts: readonly string[]): string {
  const id = createHash('sha256').update(artifacts.join('\n')).digest('hex').slice(0, 12);
  const dir = join(cache, id);
  const fetched = join(dir, 'fetched');
  if (!existsSync(fetched)) {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'pom.xml'), pom(artifacts));
    const args = ['--batch-mode', '--quiet', '-Dstyle.color=never', PLUGIN, `-DoutputDirectory=${join(dir, 'jars')}`];
    execFileSync('mvn', args, { cwd: dir, stdio: ['ignore', 'inherit', 'inherit'], timeout: TIMEOUT_MS });
    writeFileSync(fetched, `${artifacts.join('\n')}\n`);
  }
  return join(dir, 'jars', '*');
}

function pom(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>penstock.test</groupId><artifactId>real</artifactId><version>1</version>
  <dependencies>
    ${dependencies.join('\n    ')}
  </dependencies>
</project>
`;
}
