import type { ErrorCode } from '../protocol/error-code.ts';

/** A request was refused; handlers put its code into the answer. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
