import type { FunctionAccess, IamBinding } from './function-access.ts';
import { grantStatements } from './grant-statements.ts';

/** The access of each function for people: its DDL, then its IAM bindings as gcloud takes them. */
export function describeAccess(functions: readonly FunctionAccess[]): string {
  return functions.map(describeFunction).join('\n\n');
}

function describeFunction(access: FunctionAccess): string {
  const statements = grantStatements([access]).map((statement) => `${statement};`);
  const iam = access.iam.flatMap(({ why, ...binding }) => [`-- ${why}`, `--   ${commandOf(binding)}`]);
  return [`-- ${access.function}: ${access.serviceAccount} as ${access.role}`, ...statements, ...iam].join('\n');
}

function commandOf({ role, resource, member, condition }: Omit<IamBinding, 'why'>): string {
  const [, service = '', path = ''] = /^\/\/([^/]+)\/(.*)$/.exec(resource) ?? [];
  const [, project = ''] = path.split('/');
  const name = path.slice(path.lastIndexOf('/') + 1);
  const options = `--member='${member}' --role='${role}'${conditionOf(condition)}`;
  const of = `--project=${project}`;
  if (service === 'spanner.googleapis.com') {
    const instance = path.split('/')[3] ?? '';
    return `gcloud spanner databases add-iam-policy-binding ${name} --instance=${instance} ${of} ${options}`;
  }
  if (service === 'secretmanager.googleapis.com')
    return `gcloud secrets add-iam-policy-binding ${name} ${of} ${options}`;
  if (service === 'pubsub.googleapis.com')
    return `gcloud pubsub topics add-iam-policy-binding ${name} ${of} ${options}`;
  return `gcloud projects add-iam-policy-binding ${name} ${options}`;
}

function conditionOf(condition: string | undefined): string {
  return condition === undefined ? '' : ` --condition='title=penstock,expression=${condition}'`;
}
