import { type Journal, noJournal, openJournal } from '../../journal.ts';

/** Appended records beyond the live ones before the file is written anew. */
const COMPACT_AFTER_RECORDS = 50_000;

/** Small values by key that survive kill -9: what is put has reached the operating system when put returns. */
export class StateStore {
  private readonly values = new Map<string, string>();
  private readonly journal: Journal;
  private appended = 0;

  /** @param path the journal; absent: in memory */
  constructor(path: string | undefined) {
    this.journal = path === undefined ? noJournal : openJournal(path, (record) => this.replay(record));
    if (this.appended > this.values.size) this.compact();
  }

  get(key: string): unknown {
    const value = this.values.get(key);
    return value === undefined ? undefined : JSON.parse(value);
  }

  /** Every value whose key begins with `prefix`, with the rest of the key. */
  entries(prefix: string): [rest: string, value: unknown][] {
    return [...this.values]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), JSON.parse(value)]);
  }

  put(key: string, value: unknown): void {
    const text = JSON.stringify(value);
    this.values.set(key, text);
    this.append(key, text);
  }

  delete(key: string): void {
    if (this.values.delete(key)) this.append(key, null);
  }

  close(): void {
    this.journal.close();
  }

  private append(key: string, value: string | null): void {
    this.journal.append(encode(key, value));
    this.appended++;
    if (this.appended > this.values.size + COMPACT_AFTER_RECORDS) this.compact();
  }

  private compact(): void {
    this.journal.rewrite([...this.values].map(([key, value]) => encode(key, value)));
    this.appended = this.values.size;
  }

  private replay(record: Buffer): void {
    const [key, value] = JSON.parse(record.toString('utf8')) as [string, string | null];
    if (value === null) this.values.delete(key);
    else this.values.set(key, value);
    this.appended++;
  }
}

function encode(key: string, value: string | null): Buffer {
  return Buffer.from(JSON.stringify([key, value]), 'utf8');
}
