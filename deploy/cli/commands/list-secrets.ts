import { readSecrets } from '../../../functions/dashboard/sources/read-secrets.ts';
import { viewSecrets } from '../../../functions/dashboard/view/secret-view.ts';
import { sayAgeOf, sayNext, sayRotation, sayState } from '../../../functions/dashboard/view/secret-words.ts';
import type { RotationView, SecretView } from '../../../functions/dashboard/view/view-model.ts';
import { sayDuration, sayMoment } from '../../../functions/dashboard/view/words.ts';
import { openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { openOverviewStore } from '../../../shared/adapters/spanner/overview-store.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { Output } from '../output.ts';
import { openOwnAuthority } from '../own-authority.ts';
import { readConfig } from '../read-config.ts';

/** What `penstock secrets list` takes. */
export interface ListSecretsOptions {
  readonly config: string;
  /** This one alone. */
  readonly secret?: string;
}

/**
 * Prints where every declared secret stands, worst first, as the page shows it: by the control tables alone, so that whoever runs it
 * needs no right in Secret Manager.
 */
export async function listSecrets({ config, secret }: ListSecretsOptions, output: Output): Promise<void> {
  const read = await readConfig(config, ['spanner', 'secrets']);
  const declaration = only(read.declaration, secret);
  const names = Object.keys(declaration.secrets);
  const own = await openOwnAuthority(read.declaration);
  for (const name of names) own?.require(own.asker, 'view', { type: 'Secret', name });
  if (names.length === 0) return void (output.json || output.result([], 'No secret is declared to rotate.'));
  const opened = openDatabase(declaration.spanner.database);
  try {
    const secrets = await openOverviewStore(opened.database).read((reader) => readSecrets(reader, declaration));
    for (const view of viewSecrets({ declaration, secrets, asOfMs: Date.now() })) output.result(view, textOf(view));
  } finally {
    await opened.close();
  }
}

function only(declaration: Declaration, name: string | undefined): Declaration {
  if (name === undefined) return declaration;
  const found = Object.hasOwn(declaration.secrets, name) ? declaration.secrets[name] : undefined;
  if (found) return { ...declaration, secrets: { [name]: found } };
  const names = Object.keys(declaration.secrets).join(', ') || 'none is declared';
  throw new ConfigError([{ path: `secrets.${name}`, message: 'is not declared', remedy: `Name one of: ${names}` }]);
}

function textOf(secret: SecretView): string {
  const { name, strategy, last, lastFailed, command, stillOld, stillOldCount } = secret;
  const earlier = lastFailed !== null && lastFailed.id !== last?.id ? lastFailed : null;
  const users = stillOld.map(({ holder, version }) => `${holder} on version ${version}`);
  const unnamed = stillOldCount - stillOld.length;
  const rows: [string, string | null][] = [
    ['current', sayCurrent(secret)],
    ['previous', sayPrevious(secret)],
    ['last', last && rotationText(last)],
    ['failed', earlier && rotationText(earlier)],
    ['still old', stillOldCount === 0 ? null : [...users, ...(unnamed > 0 ? [`${unnamed} more`] : [])].join(', ')],
    ['go on by', command],
  ];
  const lines = rows.flatMap(([title, text]) => (text === null ? [] : [`  ${title.padEnd(10)}${text}`]));
  return [`${name}  ${strategy}  ${sayState(secret).toLowerCase()}`, ...lines].join('\n');
}

function sayCurrent(secret: SecretView): string {
  const { current, ageMs, everyMs, nextAtMs } = secret;
  const version = current === null ? 'a version that was never rotated' : `version ${current}`;
  const at = nextAtMs === null ? '' : `, ${sayMoment(nextAtMs)}`;
  const age = ageMs === null ? 'age not known' : `${sayAgeOf(secret)} old`;
  return `${version}, ${age} of ${sayDuration(everyMs)}; next rotation ${sayNext(secret)}${at}`;
}

function sayPrevious({ previous }: SecretView): string | null {
  if (previous === null) return null;
  const until = previous.untilMs === null ? '' : sayMoment(previous.untilMs);
  const fate = {
    enabled: `works on, until ${until} at least`,
    disabled: `disabled, destroyed at ${until}`,
    destroyed: 'destroyed',
  };
  return `version ${previous.version}, ${fate[previous.state]}`;
}

function rotationText(rotation: RotationView): string {
  return `${rotation.id}: ${sayRotation(rotation)}${rotation.reason === null ? '' : `: ${rotation.reason}`}`;
}
