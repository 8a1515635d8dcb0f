import { join } from 'node:path';
import { type Journal, noJournal, openJournal } from '../journal.ts';

export interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** What somebody registers. */
export interface Schema {
  readonly type: string;
  readonly text: string;
  readonly references: readonly Reference[];
}

/** One version of a subject. */
export interface Version {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
}

/** Schemas by id, and ids by subject and version; ids are never given twice. */
export interface SchemaStore {
  byId(id: number): Schema | undefined;
  subjects(): readonly string[];
  versions(subject: string): readonly Version[];
  /** The same schema gets the same id in every subject, and no second version in one. */
  register(subject: string, schema: Schema): Version;
  find(subject: string, schema: Schema): Version | undefined;
  close(): void;
}

interface Registration {
  readonly subject: string;
  readonly schema: Schema;
}

/** @param dir keeps schemas over restarts; in memory when left out */
export function openSchemaStore(dir: string | undefined): SchemaStore {
  const schemas: Schema[] = [];
  const ids = new Map<string, number>();
  const subjects = new Map<string, Version[]>();
  const find = (subject: string, schema: Schema): Version | undefined => {
    const id = ids.get(identityOf(schema));
    return subjects.get(subject)?.find((version) => version.id === id);
  };
  const take = ({ subject, schema }: Registration): Version => {
    const identity = identityOf(schema);
    const id = ids.get(identity) ?? schemas.push(schema);
    ids.set(identity, id);
    const versions = subjects.get(subject) ?? [];
    const version = { subject, id, version: versions.length + 1 };
    versions.push(version);
    subjects.set(subject, versions);
    return version;
  };
  const journal: Journal =
    dir === undefined
      ? noJournal
      : openJournal(join(dir, 'schemas.journal'), (record) => void take(JSON.parse(record.toString('utf8'))));
  return {
    byId: (id) => schemas[id - 1],
    subjects: () => [...subjects.keys()].sort(),
    versions: (subject) => subjects.get(subject) ?? [],
    find,
    register(subject, schema) {
      const known = find(subject, schema);
      if (known) return known;
      journal.append(Buffer.from(JSON.stringify({ subject, schema } satisfies Registration)));
      return take({ subject, schema });
    },
    close: () => journal.close(),
  };
}

function identityOf({ type, text, references }: Schema): string {
  return JSON.stringify([type, text, references.map(({ name, subject, version }) => [name, subject, version])]);
}
