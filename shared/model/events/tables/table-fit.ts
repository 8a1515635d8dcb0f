import type { Pipeline, Target } from '../../config/declaration.ts';
import type { TableSchema } from './table-schema.ts';

/** What is checked against what: one target of a pipeline, and its table. */
export interface TableFit {
  readonly pipeline: Pipeline;
  readonly target: Target;
  readonly table: TableSchema;
}

/** Where under its target, what is wrong, what to do. */
export type FitProblem = readonly [place: string, message: string, remedy: string];
