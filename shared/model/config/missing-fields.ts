import type { Finding, Report } from './finding.ts';
import type { WrittenColumnSource, WrittenPipeline, WrittenRoute } from './schema.ts';

type Path = Finding['path'];
type Kind = 'field' | 'keyField';

const OTHER_ORIGINS = ['key', 'header', 'record', 'constant', 'hashOf'] as const;

/** Reports what asks for fields of a value or a key that is not decoded into any. */
export function reportMissingFields(written: WrittenPipeline, path: Path, report: Report): void {
  const { format, keyFormat, routes } = written;
  const refuse = (kind: Kind | undefined, place: Path): void => {
    if (kind === 'field' && format === 'bytes') {
      report(
        place,
        'asks for a field, and format bytes has none',
        'Use key, header, constant or record, or another format',
      );
    }
    if (kind === 'keyField' && (keyFormat === undefined || keyFormat === 'bytes')) {
      report(place, 'asks for a field of the key, which is not decoded', 'Add `keyFormat`, or use the whole key');
    }
  };
  checkTarget(written, path, refuse);
  for (const [at, route] of (routes ?? []).entries()) {
    const place = [...path, 'routes', at];
    checkTarget(route, place, refuse);
    if (route.when?.keyField !== undefined) refuse('keyField', [...place, 'when']);
    else if (route.when?.field !== undefined) refuse('field', [...place, 'when']);
  }
}

function checkTarget(
  written: Pick<WrittenPipeline | WrittenRoute, 'columns' | 'groupBy' | 'aggregates'>,
  path: Path,
  refuse: (kind: Kind | undefined, place: Path) => void,
): void {
  for (const setting of ['columns', 'groupBy'] as const) {
    for (const [column, source] of Object.entries(written[setting] ?? {})) {
      refuse(kindOf(source), [...path, setting, column]);
    }
  }
  for (const [column, aggregate] of Object.entries(written.aggregates ?? {})) {
    if (!('count' in aggregate)) refuse('field', [...path, 'aggregates', column]);
  }
}

/** A column without a source is the field of its name. */
function kindOf(source: WrittenColumnSource): Kind | undefined {
  if (source.keyField !== undefined) return 'keyField';
  return OTHER_ORIGINS.some((origin) => source[origin] !== undefined) ? undefined : 'field';
}
