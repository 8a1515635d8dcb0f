import { tableNames } from '../access/access-entities.ts';
import { issuerOf, type TrustedIssuer } from '../identity/trusted-issuer.ts';
import type { Access, Declaration, PolicySource } from './declaration.ts';
import type { Report } from './finding.ts';
import type { ReadBeside } from './pipeline-settings.ts';
import type { WrittenAccess, WrittenIssuer } from './schema.ts';
import { parseMs } from './units.ts';

const MAX_FILES = 256;
const MAX_CHARACTERS = 1024 * 1024;

/** Names of the files in a folder beside the declaration; undefined where there is no such folder. */
export type ListBeside = (folder: string) => readonly string[] | undefined;

/** What access settings are read with. */
export interface AccessTools {
  readonly report: Report;
  readonly readBeside: ReadBeside;
  readonly listBeside: ListBeside;
}

/** Reads the folder of policies, and checks what is said of groups, columns and issuers. */
export function accessSettings(written: WrittenAccess, declaration: Declaration, tools: AccessTools): Access {
  checkSensitive(written, declaration, tools.report);
  return {
    policies: written.policies,
    sources: written.policies === undefined ? undefined : policySources(written.policies, tools),
    groups: written.groups ?? {},
    sensitive: written.sensitive ?? {},
    approvalWithinMs: parseMs(written.approvals?.within ?? '1h'),
    issuers: issuersOf(written.issuers ?? [], tools.report),
  };
}

/** Undefined where the folder cannot be found: whether that may be is the caller's to say. */
function policySources(folder: string, { report, readBeside, listBeside }: AccessTools): PolicySource[] | undefined {
  const listed = listBeside(folder);
  if (listed === undefined) return undefined;
  const path = ['access', 'policies'];
  const names = listed.filter((name) => name.endsWith('.cedar')).sort();
  if (names.length === 0) {
    report(path, `names ${folder}, which holds no .cedar file`, 'Write a policy: nobody may do anything yet');
  }
  if (names.length > MAX_FILES)
    report(path, `holds ${names.length} files, more than ${MAX_FILES}`, 'Put some together');
  return names.slice(0, MAX_FILES).flatMap((name) => {
    const file = `${folder.replace(/\/+$/, '')}/${name}`;
    const text = readBeside(file);
    if (text !== undefined && text.length <= MAX_CHARACTERS) return [{ file, text }];
    const message = text === undefined ? 'cannot be read' : `has more than ${MAX_CHARACTERS} characters`;
    report(path, `${file} ${message}`, 'Make it a readable file of policies');
    return [];
  });
}

function issuersOf(issuers: readonly WrittenIssuer[], report: Report): TrustedIssuer[] {
  for (const [at, { issuer }] of issuers.entries()) {
    if (issuers.findIndex((other) => other.issuer === issuer) < at) {
      report(['access', 'issuers', String(at), 'issuer'], 'is declared twice', 'Join its settings in one entry');
    }
  }
  return issuers.map(({ issuer, maxLifetime, ...settings }) =>
    issuerOf(issuer, {
      ...settings,
      maxLifetimeSeconds: maxLifetime === undefined ? undefined : Math.floor(parseMs(maxLifetime) / 1000),
    }),
  );
}

/** A misspelt table would leave its columns bare, and columns that no policy could grant would be lost to every feed. */
function checkSensitive({ sensitive = {}, policies }: WrittenAccess, declaration: Declaration, report: Report): void {
  if (policies === undefined && Object.keys(sensitive).length > 0) {
    report(['access', 'sensitive'], 'is given without policies', 'Add `policies: ./policies`, which grants them');
  }
  const known = tableNames(declaration);
  for (const table of Object.keys(sensitive)) {
    if ([...known].some((name) => name.toLowerCase() === table.toLowerCase())) continue;
    report(['access', 'sensitive', table], 'is no table of a pipeline or feed', `Name one of ${[...known].join(', ')}`);
  }
}
