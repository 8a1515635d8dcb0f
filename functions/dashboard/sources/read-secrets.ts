import type { OverviewReader } from '../../../shared/adapters/spanner/overview-store.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import type { SecretSource } from './sources.ts';

/** Of each secret, with room for far more than a person looks at. */
const limits = { rotations: 2_000, users: 2_000 };

/** Reads what the control tables say of every declared secret, by name. */
export async function readSecrets(
  reader: Pick<OverviewReader, 'rotations' | 'secretUsers'>,
  declaration: Declaration,
): Promise<Map<string, SecretSource>> {
  const read = Object.keys(declaration.secrets).map(async (name) => {
    const [rotations, users] = await Promise.all([
      reader.rotations(name, limits.rotations),
      reader.secretUsers(name, limits.users),
    ]);
    return [name, { rotations, users }] as const;
  });
  return new Map(await Promise.all(read));
}
