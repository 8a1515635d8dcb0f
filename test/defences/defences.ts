import type { Defence } from './defence.ts';
import { doorDefences } from './door-defences.ts';
import { pageDefences } from './page-defences.ts';

/** Every defence that can be taken away by itself, and the test that notices. `docs/security.md` tells of each. */
export const defences: readonly Defence[] = [...doorDefences, ...pageDefences];
