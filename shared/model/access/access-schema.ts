import { actionResources } from './access-request.ts';

/**
 * The Cedar schema that policies are checked against: what can ask, what can be asked for, and what policies may look at.
 *
 * Language: docs.cedarpolicy.com/schema/human-readable-schema.html.
 */
export const accessSchema: string = [
  'entity Issuer;',
  'entity Group;',
  'entity Person, ServiceAccount in [Group] = { "name": String, "domain": String, "issuer": Issuer, "issuerName": String };',
  'entity Function;',
  'entity Table;',
  'entity Pipeline in [Function] = { "tables": Set<Table>, "sensitive": Bool };',
  'entity Feed in [Function] = { "table": Table, "sensitive": Bool };',
  'entity Secret in [Function] = { "strategy": String };',
  'entity Database = { "project": String, "instance": String };',
  'entity Column in [Table] = { "table": Table, "name": String, "sensitive": Bool };',
  'type Circumstances = {',
  '  "now": datetime, "door": String, "approved": Bool, "all": Bool, "back": Bool, "sensitive": Bool,',
  '  "feed"?: Feed, "act"?: String',
  '};',
  ...Object.entries(actionResources).map(
    ([action, resources]) =>
      `action ${action} appliesTo { principal: [Person, ServiceAccount], resource: [${resources.join(', ')}], context: Circumstances };`,
  ),
].join('\n');
