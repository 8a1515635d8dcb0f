import { feedColumns, sensitiveColumnsOf } from '../access/access-entities.ts';
import type { Circumstances } from '../access/access-request.ts';
import type { Declaration, Feed } from '../config/declaration.ts';
import type { ApprovalSubject } from './approval.ts';

/** Planning an epoch of a feed, as policies and a second person see it: what is read, and where it goes. */
export function feedAct(
  declaration: Pick<Declaration, 'access'>,
  feed: Feed,
): ApprovalSubject & { readonly about: Partial<Circumstances> } {
  const sensitive = sensitiveColumnsOf(declaration, feed);
  return {
    action: 'trigger',
    resource: { type: 'Feed', name: feed.name },
    about: { sensitive: sensitive.length > 0 },
    content: {
      table: feed.table,
      columns: [...feedColumns(feed)].sort(),
      sensitive: [...sensitive].sort(),
      where: feed.where ?? null,
      trainer: feed.trainer?.url ?? null,
    },
  };
}
