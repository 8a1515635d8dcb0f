import { PenstockError } from '../../../shared/base/errors.ts';

/**
 * How values of one kind are made, brought to those who check them, and tried.
 *
 * Every call may be repeated after a crash, with the same values. Bytes belong to the caller, who wipes them; no error says
 * anything of them. What may succeed later is thrown as it is; {@link StrategyRefusedError} ends the rotation.
 */
export interface Strategy {
  /**
   * Makes a new value. Those that it made before and that were never set may end with that.
   *
   * @param current the value in use; undefined for a secret's first
   */
  create(current: Buffer | undefined): Promise<Buffer>;
  /** Makes the target system take the value, and keep taking that of `beside`. */
  set(value: Buffer, beside: Buffer | undefined): Promise<void>;
  /**
   * Uses the value as its users will.
   *
   * @throws {StrategyRefusedError} when it does not work
   */
  test(value: Buffer): Promise<void>;
  /**
   * Makes the target system take the value no more; that of `keep` goes on working.
   *
   * @param ending `disable`: it may be set again, by going back; `destroy`: it never will
   */
  revoke(value: Buffer, keep: Buffer | undefined, ending: 'disable' | 'destroy'): Promise<void>;
  close(): Promise<void>;
}

/** A value cannot be made, or does not work: trying again changes nothing. */
export class StrategyRefusedError extends PenstockError {
  constructor(message: string, remedy: string, cause?: unknown) {
    super(message, { code: 'ROTATION_REFUSED', remedy, retryable: false, cause });
  }
}
