import { joinedColumn } from '../epochs/join.ts';
import type { FeedJoin } from './declaration.ts';
import type { Report } from './finding.ts';
import type { WrittenFeed } from './schema.ts';

const MAX_JOINS = 8;

/** Resolves a feed's joins; checks that each is used, and that each `NAME.COLUMN` names one. */
export function joinSettings(written: WrittenFeed, path: readonly string[], report: Report): FeedJoin[] {
  const joins = Object.entries(written.join ?? {});
  if (joins.length > MAX_JOINS) {
    report([...path, 'join'], `names ${joins.length} tables, more than ${MAX_JOINS}`, 'Join fewer tables');
  }
  const names = joins.map(([name]) => name.toLowerCase());
  for (const [at, [name]] of joins.entries()) {
    if (names.indexOf(name.toLowerCase()) === at) continue;
    report([...path, 'join', name], 'differs from another name in capitals alone', 'Choose another name');
  }
  const used = new Set<string>();
  for (const { at, column } of columnsIn(written)) {
    const join = joinedColumn(column)?.join;
    if (join === undefined) continue;
    used.add(join);
    if (Object.hasOwn(written.join ?? {}, join)) continue;
    report([...path, ...at], `is ${column}, but nothing is joined as ${join}`, `Declare it under join: ${join}`);
  }
  return joins.map(([name, { table, on }]) => {
    if (!used.has(name)) {
      report([...path, 'join', name], 'is joined, but no column of it is used', `Use one, like ${name}.COLUMN`);
    }
    if (Object.keys(on).length === 0) {
      report([...path, 'join', name, 'on'], 'is empty', 'Say which column equals which: { Origin: Iata }');
    }
    return { name, table, on: Object.entries(on).map(([column, equals]) => ({ column, equals })) };
  });
}

/** Every column that a feed names, and where. */
function columnsIn({ transforms, label, split, weight }: WrittenFeed): { at: string[]; column: string }[] {
  const named = Object.entries(transforms).flatMap(([tensor, { column, cross }]) => [
    { at: ['transforms', tensor, 'column'], column },
    { at: ['transforms', tensor, 'cross'], column: cross ?? '' },
  ]);
  const weighed = weight && 'column' in weight ? weight.column : '';
  return [
    ...named,
    { at: ['label', 'column'], column: label?.column ?? '' },
    { at: ['split', 'by'], column: split?.by ?? '' },
    { at: ['weight', 'column'], column: weighed },
  ];
}
