import type { ColumnSource, Target } from '../../config/declaration.ts';
import { shapeAt } from '../../formats/shapes/message-shape.ts';
import type { ValueShape } from '../../formats/shapes/value-shape.ts';
import { findColumn, planColumns } from './column-plan.ts';
import type { RecordShapes } from './source-type.ts';
import type { FitProblem, TableFit } from './table-fit.ts';
import type { TableColumn } from './table-schema.ts';

/** In what a message's schema and the table do not fit together; nothing where no schema is known. */
export function checkShapes({ target, table }: TableFit, shapes: RecordShapes): FitProblem[] {
  const declared = new Set(target.columns.map(({ column }) => column.toLowerCase()));
  const columns = planColumns(target, table).flatMap(({ column, source, optional }): FitProblem[] => {
    if (source === 'commit-timestamp') return [];
    const isWritten = target.mode !== 'aggregate' || table.primaryKey.includes(column.name);
    if (!isWritten || (optional && !declared.has(column.name.toLowerCase()) && isAbsent(source, shapes))) return [];
    return checkColumn(`columns.${column.name}`, column, source, shapes);
  });
  return [...columns, ...checkInputs(target, shapes, (name) => findColumn(table, name))];
}

function isAbsent({ from }: ColumnSource, shapes: RecordShapes): boolean {
  return from.kind === 'field' && shapeAt(shapes.value, from.path) === 'absent';
}

function checkColumn(place: string, column: TableColumn, source: ColumnSource, shapes: RecordShapes): FitProblem[] {
  const { from, format } = source;
  if (from.kind !== 'field' && from.kind !== 'keyField') return [];
  const found = shapeAt(from.kind === 'field' ? shapes.value : shapes.key, from.path);
  if (found === 'absent') {
    return [[place, `the message's schema has no field ${from.path}`, 'Name a field that it has']];
  }
  // A pattern reads text alone.
  const wanted =
    format === undefined ? column : { ...column, type: textType, typeText: `${column.typeText} by a pattern` };
  const problem = misfit(found.shape, wanted);
  return problem === undefined
    ? []
    : [[place, `field ${from.path} ${problem}`, 'Change the column’s type or its source']];
}

const textType = { code: 'STRING', array: false, maxLength: undefined } as const;

/** Why no value of this shape fits the column; undefined where one may. */
function misfit(shape: ValueShape, { type, typeText }: TableColumn): string | undefined {
  if (!type || shape.kind === 'any') return undefined;
  if (type.code === 'JSON' && !type.array) return undefined;
  if (shape.kind === 'object') return `is an object, and the column is ${typeText}`;
  if (shape.kind === 'list') {
    return type.array
      ? misfit(shape.items, { ...elementOf(typeText), type: { ...type, array: false } })
      : `is a list, and the column is ${typeText}`;
  }
  if (type.array) return `is one value, and the column is ${typeText}`;
  if (!shape.codes.includes(type.code)) {
    return `holds ${shape.codes[0] ?? 'what no column takes'}, and the column is ${typeText}`;
  }
  const isText = type.code === 'STRING' && shape.maxLength !== undefined && type.maxLength !== undefined;
  if (!isText || (shape.maxLength ?? 0) <= (type.maxLength ?? 0)) return undefined;
  return `may have ${shape.maxLength} characters, and the column is ${typeText}`;
}

function elementOf(typeText: string): TableColumn {
  const none = { notNull: false, hasDefault: false, generated: false, allowCommitTimestamp: false };
  return { name: '', typeText, type: undefined, ...none };
}

/** The fields that aggregates and versions read. */
function checkInputs(
  { aggregate }: Target,
  { value }: RecordShapes,
  find: (name: string) => TableColumn | undefined,
): FitProblem[] {
  return (aggregate?.into ?? []).flatMap(({ column, field, by }): FitProblem[] => {
    const inputs = [
      { name: column, path: field },
      { name: by?.column ?? '', path: by?.field },
    ];
    return inputs.flatMap(({ name, path }): FitProblem[] => {
      const found = find(name);
      if (!found || path === undefined) return [];
      const place = `aggregates.${column}`;
      const shape = shapeAt(value, path);
      if (shape === 'absent') return [[place, `the message's schema has no field ${path}`, 'Name a field that it has']];
      const problem = misfit(shape.shape, found);
      return problem === undefined ? [] : [[place, `field ${path} ${problem}`, 'Change the column’s type']];
    });
  });
}
