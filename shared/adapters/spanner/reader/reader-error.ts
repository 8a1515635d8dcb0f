import { PenstockError } from '../../../base/errors.ts';

/** The bytes of a result are not what Spanner sends: nothing of the message was taken. */
export class DecodeError extends PenstockError {
  constructor(problem: string) {
    super(`Cannot decode a result of Spanner: ${problem}`, {
      code: 'DECODE',
      remedy: 'Read again; when it stays, a proxy between changes bytes, or the server is newer than this reader',
      retryable: true,
    });
  }
}

/** Spanner cannot be read now. */
export class ReadUnavailableError extends PenstockError {
  constructor(table: string, cause: unknown) {
    super(`Cannot read ${table} now`, {
      code: 'READ_UNAVAILABLE',
      remedy: 'Nothing to do: the shard is read on after its last block',
      retryable: true,
      cause,
    });
  }
}

/** Spanner refuses the read, and would again. */
export class ReadRefusedError extends PenstockError {
  constructor(table: string, cause: unknown) {
    super(`Spanner refuses the read of ${table}`, {
      code: 'READ_REFUSED',
      remedy:
        'Check that the table and its columns exist, that this identity may read them, and that the read timestamp is within the retention period: a longer version_retention_period gives epochs more time',
      retryable: false,
      cause,
    });
  }
}
