import { PenstockError } from '../../base/errors.ts';

/** The trainer cannot be reached. */
export class TrainerUnavailableError extends PenstockError {
  constructor(url: string, cause: unknown) {
    super(`The trainer at ${url} does not answer`, {
      code: 'TRAINER_UNAVAILABLE',
      remedy: 'Start the trainer; the shard goes on by itself',
      retryable: true,
      cause,
    });
  }
}

/** The trainer refused what it was sent, and would again. Refused tokens may be accepted later. */
export class TrainerRefusedError extends PenstockError {
  constructor(path: string, status: number, detail: string) {
    super(`The trainer answered ${status} to ${path}: ${detail}`, {
      code: 'TRAINER_REFUSED',
      remedy: 'Compare the feed with what the trainer expects, and the token’s audience with the trainer’s',
      retryable: status === 401 || status === 403 || status >= 500,
    });
  }
}

/** There is no identity to call the trainer with. */
export class NoTokenError extends PenstockError {
  constructor(url: string, cause: unknown) {
    super(`No ID token could be had for the trainer at ${url}`, {
      code: 'NO_TOKEN',
      remedy: 'Run under a service account, or set GOOGLE_APPLICATION_CREDENTIALS or GCE_METADATA_HOST',
      retryable: true,
      cause,
    });
  }
}
