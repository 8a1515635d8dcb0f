import type { Declaration, Pipeline } from '../config/declaration.ts';
import { usesRegistry } from '../config/uses-registry.ts';
import { controlUses, type RoledFunction, roledFunctions } from './control-uses.ts';
import type { RoleGrants } from './grant-statements.ts';
import { joinUses, type TableUse } from './table-grants.ts';

/** One binding of IAM: who gets which role on what. */
export interface IamBinding {
  readonly role: string;
  /** As the resource's own service names it. */
  readonly resource: string;
  readonly member: string;
  /** In Common Expression Language; undefined where the binding is without one. */
  readonly condition?: string;
  /** Why, for people. */
  readonly why: string;
}

/** All that one function may do: its database role, and the IAM roles of its service account. */
export interface FunctionAccess extends RoleGrants {
  readonly function: RoledFunction;
  readonly serviceAccount: string;
  readonly iam: readonly IamBinding[];
}

/** What pipelines and feeds do with their tables, names as the database spells them. */
export interface DataUses {
  readonly pipelines: Readonly<Record<string, readonly TableUse[]>>;
  readonly feeds: Readonly<Record<string, readonly TableUse[]>>;
}

/** Those that look at INFORMATION_SCHEMA: whether tables fit, and what their keys are. */
const DESCRIBING: ReadonlySet<RoledFunction> = new Set(['kafka-sink', 'pubsub-sink', 'plan-epoch']);
const INFO_READER = 'spanner_info_reader';

/** The database role of a function: `penstock_kafka_sink`. */
export function roleOf(name: RoledFunction): string {
  return `penstock_${name.replaceAll('-', '_')}`;
}

/**
 * One service account and one database role for each function, with what this declaration makes it touch and no more.
 *
 * @param project where the service accounts are
 */
export function functionAccess(declaration: Declaration, data: DataUses, project: string): FunctionAccess[] {
  return roledFunctions.map((name) => {
    const serviceAccount = `${name}@${project}.iam.gserviceaccount.com`;
    const role = roleOf(name);
    return {
      function: name,
      serviceAccount,
      role,
      inherits: DESCRIBING.has(name) ? [INFO_READER] : [],
      grants: joinUses([...controlUses[name], ...dataUses(declaration, data, name)]),
      iam: iamBindings(declaration, { name, role, member: `serviceAccount:${serviceAccount}` }),
    };
  });
}

function dataUses(declaration: Declaration, { pipelines, feeds }: DataUses, name: RoledFunction): TableUse[] {
  if (name === 'plan-epoch' || name === 'read-shard') return Object.values(feeds).flat();
  return sunk(declaration, name).flatMap((pipeline) => pipelines[pipeline.name] ?? []);
}

/** The pipelines that a function writes. */
function sunk({ pipelines }: Declaration, name: RoledFunction): Pipeline[] {
  const kind = name === 'kafka-sink' ? 'kafka' : name === 'pubsub-sink' ? 'pubsub' : undefined;
  return Object.values(pipelines).filter(({ source }) => source.kind === kind);
}

function iamBindings(
  declaration: Declaration,
  { name, role, member }: { readonly name: RoledFunction; readonly role: string; readonly member: string },
): IamBinding[] {
  const { database } = declaration.spanner;
  const [, project = ''] = database.split('/');
  const of = database.slice(database.lastIndexOf('/databases/'));
  const pipelines = sunk(declaration, name);
  const resource = `//spanner.googleapis.com/${database}`;
  const bind = (binding: Omit<IamBinding, 'member'>): IamBinding => ({ ...binding, member });
  return [
    bind({ role: 'roles/spanner.fineGrainedAccessUser', resource, why: 'opens sessions that act as a database role' }),
    bind({
      role: 'roles/spanner.databaseRoleUser',
      resource,
      condition: `resource.type == "spanner.googleapis.com/DatabaseRole" && resource.name.endsWith("${of}/databaseRoles/${role}")`,
      why: `may act as ${role}, and as no other role`,
    }),
    ...(pipelines.some(({ onDrift }) => onDrift === 'add-column')
      ? [
          bind({
            role: `projects/${project}/roles/penstockSchemaUpdater`,
            resource,
            why: 'adds columns (onDrift: add-column). A custom role of spanner.databases.updateDdl and spanner.databaseOperations.get',
          }),
        ]
      : []),
    ...secretsOf(declaration, name, pipelines).map((secret) =>
      bind({
        role: 'roles/secretmanager.secretAccessor',
        resource: `//secretmanager.googleapis.com/projects/${project}/secrets/${secret}`,
        why: 'reads this secret',
      }),
    ),
    ...rotatedBy(declaration, name).map((secret) =>
      bind({
        role: 'roles/secretmanager.admin',
        resource: `//secretmanager.googleapis.com/projects/${project}/secrets/${secret}`,
        why: 'adds versions to this secret, moves its aliases, disables and destroys',
      }),
    ),
    ...accountsOf(declaration, name).map((account) =>
      bind({
        role: 'roles/iam.serviceAccountKeyAdmin',
        resource: `//iam.googleapis.com/projects/-/serviceAccounts/${account}`,
        why: 'makes, disables and deletes keys of this account',
      }),
    ),
    ...(name === 'kafka-sink' && declaration.kafka?.auth?.mechanism === 'oauthbearer'
      ? [
          bind({
            role: 'roles/managedkafka.client',
            resource: `//cloudresourcemanager.googleapis.com/projects/${project}`,
            why: 'reads topics of Managed Kafka',
          }),
        ]
      : []),
    ...(name === 'plan-epoch' || name === 'read-shard'
      ? [
          bind({
            role: 'roles/pubsub.publisher',
            resource: `//pubsub.googleapis.com/projects/${project}/topics/penstock-shards`,
            why: 'publishes shard jobs',
          }),
        ]
      : []),
  ];
}

function rotatedBy({ secrets }: Declaration, name: RoledFunction): string[] {
  return name === 'rotate-secrets' ? Object.keys(secrets) : [];
}

/** Service accounts whose keys rotate. */
function accountsOf({ secrets }: Declaration, name: RoledFunction): string[] {
  if (name !== 'rotate-secrets') return [];
  const accounts = Object.values(secrets).flatMap(({ strategy }) =>
    strategy.kind === 'service-account-key' ? [strategy.account] : [],
  );
  return [...new Set(accounts)];
}

/** What rotations need beside the secrets themselves: administrators, and keys of hooks. */
function rotationSecrets({ secrets, kafka }: Declaration): string[] {
  const needed = Object.values(secrets).flatMap(({ strategy }) => {
    if (strategy.kind === 'kafka-scram') return [strategy.admin, kafka?.caSecret, kafka?.brokersSecret];
    if (strategy.kind === 'tls-certificate') return [strategy.authority, kafka?.caSecret, kafka?.brokersSecret];
    return strategy.kind === 'http-hook' ? [strategy.key] : [];
  });
  return [...new Set(needed.filter((secret) => secret !== undefined))];
}

function secretsOf(declaration: Declaration, name: RoledFunction, pipelines: readonly Pipeline[]): string[] {
  const { kafka, registry } = declaration;
  if (name === 'rotate-secrets') return rotationSecrets(declaration);
  const auth = registry?.auth;
  const needed = [registry?.urlSecret, auth && auth.kind !== 'google' ? auth.secret : undefined];
  const ofRegistry = pipelines.some(usesRegistry) ? needed.filter((secret) => secret !== undefined) : [];
  if (name !== 'kafka-sink' || !kafka) return ofRegistry;
  const ofKafka = [
    kafka.auth && 'secret' in kafka.auth ? kafka.auth.secret : undefined,
    kafka.caSecret,
    kafka.brokersSecret,
  ];
  return [...new Set([...ofKafka.filter((secret) => secret !== undefined), ...ofRegistry])];
}
