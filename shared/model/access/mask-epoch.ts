import type { Declaration } from '../config/declaration.ts';
import { joinedColumn } from '../epochs/join.ts';
import type { Plan } from '../epochs/manifest.ts';
import type { FittedTransform } from '../tensors/fitted.ts';
import { columnsRead, isSensitive, sensitiveColumnsOf } from './access-entities.ts';
import type { Resource } from './access-request.ts';
import { masked } from './mask-record.ts';

/** A fitted transform of which what was learned of the rows is left out. */
export interface MaskedTransform {
  readonly tensor: string;
  readonly column: string;
  readonly kind: FittedTransform['kind'];
  /** `(masked)`. */
  readonly learned: typeof masked;
}

/** The sensitive columns that a plan reads: what its epoch keeps may tell of them. */
export function sensitiveOfPlan(declaration: Pick<Declaration, 'access'>, plan: Plan): Resource[] {
  return columnsRead(declaration, plan).filter(({ name }) => {
    const [table = '', column = ''] = name.split('.');
    return isSensitive(declaration, table, column);
  });
}

/**
 * The fitted transforms as those may see them who may not read the sensitive columns: what was learned of one is left out, a
 * vocabulary above all. A query's column may come of any column that it names: where one is sensitive, all are taken for it.
 */
export function maskFit(
  declaration: Pick<Declaration, 'access'>,
  plan: Plan,
): readonly (FittedTransform | MaskedTransform)[] {
  const ofQuery = plan.sql !== undefined && sensitiveOfPlan(declaration, plan).length > 0;
  return plan.transforms.map((transform) => {
    const { tensor, column, kind } = transform;
    const joined = joinedColumn(column);
    const table = joined ? (plan.join?.find(({ name }) => name === joined.join)?.table ?? '') : plan.table;
    const isHidden = ofQuery || isSensitive(declaration, table, joined?.column ?? column);
    return isHidden && hasLearned(transform) ? { tensor, column, kind, learned: masked } : transform;
  });
}

/** Whether something stands in it that comes of the rows, not of the declaration. */
function hasLearned(transform: FittedTransform): boolean {
  switch (transform.kind) {
    case 'normalise':
    case 'vocabulary':
      return true;
    case 'bucket':
      return transform.quantiles !== null;
    case 'weight':
      return transform.classes !== null;
    default:
      return false;
  }
}

/**
 * Whether the reason of a failed epoch may quote a sensitive column: a value that fits no tensor, a key that is there twice, what
 * Spanner says of a query. It is so too for a feed that is not declared any more, where any column is sensitive.
 */
export function hidesFailures(declaration: Pick<Declaration, 'access' | 'feeds'>, name: string): boolean {
  if (Object.keys(declaration.access?.sensitive ?? {}).length === 0) return false;
  const feed = Object.hasOwn(declaration.feeds, name) ? declaration.feeds[name] : undefined;
  return feed === undefined || sensitiveColumnsOf(declaration, feed).length > 0;
}
