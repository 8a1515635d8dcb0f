/** What a client is told when a request is refused, in the form of Google's JSON APIs. */
export class StorageError extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'StorageError';
    this.status = status;
    this.reason = reason;
  }

  toJSON(): object {
    const { status: code, message, reason } = this;
    return { error: { code, message, errors: [{ message, domain: 'global', reason }] } };
  }
}
