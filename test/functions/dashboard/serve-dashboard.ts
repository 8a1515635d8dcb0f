import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Database } from '@google-cloud/spanner';
import { getRequestListener } from '@hono/node-server';
import { localAccess } from '../../../functions/dashboard/access.ts';
import { loadAssets } from '../../../functions/dashboard/assets.ts';
import { dashboardApp } from '../../../functions/dashboard/handler.ts';
import { sourceGatherer } from '../../../functions/dashboard/sources/gather.ts';
import { shareLoad } from '../../../functions/dashboard/sources/share-load.ts';
import type { TrainerProgress } from '../../../functions/dashboard/sources/trainer-progress.ts';
import { viewEpoch } from '../../../functions/dashboard/view/epoch-view.ts';
import { viewOverview } from '../../../functions/dashboard/view/overview.ts';
import type { PartitionEnd } from '../../../shared/adapters/kafka/end-offsets.ts';
import { openApprovalStore } from '../../../shared/adapters/spanner/approvals/approval-store.ts';
import { openOverviewStore } from '../../../shared/adapters/spanner/overview-store.ts';
import { noLog } from '../../../shared/base/log.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';

/** What stands outside of Spanner in a test, and may change while the page is open. */
export interface Outside {
  ends: ReadonlyMap<string, readonly PartitionEnd[]>;
  trainer: TrainerProgress | undefined;
}

export interface ServedDashboard {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the page from source over real HTTP, reading this database; brokers and trainer say what `outside` holds. */
export async function serveDashboard(
  database: Database,
  declaration: Declaration,
  outside: Outside,
): Promise<ServedDashboard> {
  const store = openOverviewStore(database);
  const gather = sourceGatherer({
    declaration,
    store,
    endOffsets: {
      read: async () => outside.ends,
      find: async (pattern) => [...outside.ends.keys()].filter((topic) => pattern.test(topic)),
      close: async () => {},
    },
    listApprovals: openApprovalStore(database).list,
    askTrainer: async () => outside.trainer,
    clock: Date.now,
  });
  const app = dashboardApp({
    access: localAccess(),
    admit: () => undefined,
    approval: async () => undefined,
    mayDecide: () => false,
    decide: async () => undefined,
    assets: loadAssets(),
    base: '',
    refused: { page: () => false, login: () => false },
    log: noLog,
    overview: shareLoad({ keepMs: 100, waitMs: 8_000, clock: Date.now }, async () => viewOverview(await gather())),
    epoch: (id) =>
      store.read(async (reader) => {
        const row = await reader.epoch(id);
        return row && viewEpoch(row, await reader.shards(id, 1_000), { declaration, nowMs: Date.now() });
      }),
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer((request, response) => void listener(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
