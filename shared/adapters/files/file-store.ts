import { PenstockError } from '../../base/errors.ts';

/** Files that are written once, each whole or not at all. */
export interface FileStore {
  /** The place of a file, for people. */
  urlOf(name: string): string;
  /**
   * Writes a file that is not there yet.
   *
   * @param name with `/` between folders
   * @returns `same` when it was there with these bytes
   * @throws {FilesDifferError} when it is there with others
   */
  create(name: string, bytes: Uint8Array): Promise<'created' | 'same'>;
  /** @returns undefined when there is none */
  read(name: string): Promise<Buffer | undefined>;
  /** Files whose name begins so, by name. */
  list(prefix: string): Promise<StoredFile[]>;
}

/** A file that is there. */
export interface StoredFile {
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** Another file is where this one should be: one of the two is not of this epoch. */
export class FilesDifferError extends PenstockError {
  constructor(url: string, ours: string, theirs: string) {
    super(`${url} is there with SHA-256 ${theirs}, not ${ours}`, {
      code: 'FILES_DIFFER',
      remedy: 'Look who else writes there; delete the epoch’s folder to have it written again',
      retryable: false,
    });
  }
}
