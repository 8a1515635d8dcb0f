/** Every role inherits from it; it has no privileges until some are granted to it. */
export const PUBLIC = 'public';
/** Its members see all of INFORMATION_SCHEMA. */
export const INFO_READER = 'spanner_info_reader';
const SYS_READER = 'spanner_sys_reader';

/**
 * The roles that every database has.
 *
 * Source: https://cloud.google.com/spanner/docs/fgac-system-roles
 */
export const systemRoles: readonly string[] = [PUBLIC, INFO_READER, SYS_READER];

/** The system roles that others can be made members of. */
export const grantableSystemRoles: ReadonlySet<string> = new Set([INFO_READER, SYS_READER]);

/** Whether no user may take this name for a role. */
export function isReservedRole(name: string): boolean {
  return name.toLowerCase() === PUBLIC || name.toLowerCase().startsWith('spanner_');
}
