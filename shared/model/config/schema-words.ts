import { z } from 'zod';

/** Words of `penstock.yaml` that more than one of its parts is written in. */

export const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'must be a duration with its unit: ms, s, m, h or d, like 50ms or 28d');
export const environmentText = z.string().min(1);
export const secretName = z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, 'must be the name of a secret in Secret Manager');
