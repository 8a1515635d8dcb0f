import { status } from '@grpc/grpc-js';
import { RpcError } from '../../grpc.ts';
import type { Cell, SpannerType } from '../values.ts';

/** Rows of a scan, held here instead of in ZetaSQL's process. */
export interface Relation {
  /** By column id: the type and the place in each row. */
  readonly columns: ReadonlyMap<string, RelationColumn>;
  readonly rows: readonly (readonly Cell[])[];
}

export interface RelationColumn {
  readonly type: SpannerType;
  readonly at: number;
}

/** The place of a column in the rows of a relation. */
export function placeOf(relation: Relation, columnId: string): number {
  const column = relation.columns.get(columnId);
  if (!column) throw new RpcError(status.INTERNAL, `The resolved query names column ${columnId}, which no scan gives`);
  return column.at;
}
