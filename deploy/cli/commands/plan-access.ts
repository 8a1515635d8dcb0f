import { describeAccess } from '../../../shared/model/grants/describe-access.ts';
import { functionAccess } from '../../../shared/model/grants/function-access.ts';
import { grantStatements } from '../../../shared/model/grants/grant-statements.ts';
import type { Output } from '../output.ts';
import { readConfig } from '../read-config.ts';
import { readDataUses } from '../read-data-uses.ts';

/** Prints each function's database role, service account and IAM bindings, least for this declaration. */
export async function planAccess(options: { readonly config: string }, output: Output): Promise<void> {
  const { declaration } = await readConfig(options.config, ['spanner']);
  const { data, existing } = await readDataUses(declaration);
  const project = process.env.GOOGLE_CLOUD_PROJECT ?? declaration.spanner.database.split('/')[1] ?? '';
  const functions = functionAccess(declaration, data, project);
  const statements = grantStatements(functions, existing);
  const missing =
    statements.length === 0
      ? '-- The database has these roles and grants already.'
      : `-- ${statements.length} statements are missing: penstock migrate --access runs them.`;
  output.result({ functions, statements }, `${describeAccess(functions)}\n\n${missing}`);
}
