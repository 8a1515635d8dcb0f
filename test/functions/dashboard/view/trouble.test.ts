import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explainTrouble } from '../../../../functions/dashboard/view/trouble.ts';

test('explainTrouble() names the command that mends what Spanner says, by a read and by a query', () => {
  for (const [code, message, command] of [
    [5, 'Table not found: PenstockCheckpoints', 'npx penstock migrate'],
    [3, 'Table not found: PenstockApprovals [at 1:163]', 'npx penstock migrate'],
    [3, 'Syntax error: Unexpected end of script', 'npx penstock check'],
    [5, 'Database not found: projects/p/instances/i/databases/d', 'npx penstock check'],
    [7, 'Role penstock_dashboard may not read it', 'npx penstock migrate --access'],
    [14, 'unavailable', 'npx penstock check'],
  ] as const) {
    assert.equal(explainTrouble(Object.assign(new Error(`${code} ${message}`), { code })).command, command, message);
  }
});
