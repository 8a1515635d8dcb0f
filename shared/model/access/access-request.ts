import type { Asker } from './asker.ts';

/** What each action may be done to. The one table that the schema, the engine and the command read. */
export const actionResources = {
  trigger: ['Function', 'Pipeline', 'Feed'],
  approve: ['Pipeline', 'Feed', 'Secret'],
  redrive: ['Pipeline'],
  rotate: ['Secret'],
  acceptCheckpoint: ['Pipeline'],
  readColumns: ['Column'],
  view: ['Function', 'Pipeline', 'Feed', 'Secret'],
  migrate: ['Database'],
  grantRoles: ['Database'],
} as const satisfies Readonly<Record<string, readonly ResourceType[]>>;

export type AccessAction = keyof typeof actionResources;
export const resourceTypes = ['Function', 'Pipeline', 'Feed', 'Secret', 'Column', 'Database'] as const;
export type ResourceType = (typeof resourceTypes)[number];

/** What something is done to. */
export interface Resource {
  readonly type: ResourceType;
  /** As the declaration has it; `Table.Column` for a column, the deployed name for a function, a database's last name. */
  readonly name: string;
}

/** What policies may look at beside who, what and when. */
export interface Circumstances {
  /** Somebody else has approved exactly this. */
  readonly approved: boolean;
  /** Everything that waits, not one record. */
  readonly all: boolean;
  /** A rotation that goes back to the version before. */
  readonly back: boolean;
  /** Columns that are marked as sensitive are among what is read. */
  readonly sensitive: boolean;
  /** `readColumns`: for which feed. */
  readonly feed: string | undefined;
  /** `approve`: what is to be done. */
  readonly act: AccessAction | undefined;
}

/** May `asker` do `action` to `resource`? */
export interface AccessRequest {
  readonly asker: Asker;
  readonly action: AccessAction;
  readonly resource: Resource;
  readonly circumstances: Circumstances;
}

/** Nothing special about it. */
export const plainCircumstances: Circumstances = {
  approved: false,
  all: false,
  back: false,
  sensitive: false,
  feed: undefined,
  act: undefined,
};

/** What was decided, and by which policies. */
export interface Decision {
  readonly allowed: boolean;
  /** Ids of the policies that decided; empty when none permits. */
  readonly policies: readonly string[];
  /** One sentence for people and audit. */
  readonly why: string;
}

export function isAction(text: string): text is AccessAction {
  return Object.hasOwn(actionResources, text);
}

/** `Feed/delays`: how messages, audit lines and the command write a resource. */
export function writeResource({ type, name }: Resource): string {
  return `${type}/${name}`;
}

/** Reads `feed/delays`, `column/Flights.Origin`; undefined for anything else. */
export function readResource(text: string): Resource | undefined {
  const at = text.indexOf('/');
  const type = resourceTypes.find((known) => known.toLowerCase() === text.slice(0, Math.max(0, at)).toLowerCase());
  const name = text.slice(at + 1);
  return type === undefined || name === '' ? undefined : { type, name };
}

const MAX_SHOWN_CHARACTERS = 200;

/** A name of a request in a message: on one line, and not longer than one. */
export function showName(name: string): string {
  const plain = name.slice(0, MAX_SHOWN_CHARACTERS + 1).replaceAll(/[^\x20-\x7e]/g, '?');
  return plain.length <= MAX_SHOWN_CHARACTERS ? plain : `${plain.slice(0, MAX_SHOWN_CHARACTERS)}…`;
}
