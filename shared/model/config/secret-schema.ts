import { z } from 'zod';
import { duration, environmentText, secretName } from './schema-words.ts';

/** A secret that rotates, as its author writes it; what belongs to which strategy is checked in rotated-secret.ts. */
export const secretSchema = z.strictObject({
  strategy: z.enum([
    'kafka-scram',
    'hmac-key',
    'password',
    'tls-certificate',
    'service-account-key',
    'http-hook',
    'command',
  ]),
  users: z.array(z.string().min(1)).length(2).optional().describe('kafka-scram: the two that take turns'),
  admin: secretName
    .optional()
    .describe('kafka-scram: a secret with the user that may alter credentials; the rotated one unless given'),
  length: z.int().min(16).max(256).optional().describe('password: how many characters; 32 unless given'),
  classes: z
    .array(z.enum(['lower', 'upper', 'digit', 'symbol']))
    .min(1)
    .optional()
    .describe('password: of each at least one character'),
  hook: z
    .strictObject({ url: environmentText, key: secretName })
    .optional()
    .describe('http-hook: where each step is sent, and the secret with the key that signs it'),
  command: z
    .strictObject({
      run: z.array(environmentText).min(1).max(64),
      timeout: duration.optional(),
    })
    .optional()
    .describe(
      'command: an executable’s absolute path and its arguments; it is killed after `timeout`, 30s unless given',
    ),
  authority: secretName.optional().describe('tls-certificate: a secret with the key that signs, and its certificate'),
  subject: z
    .string()
    .regex(
      /^(CN|OU|O|C)=[^,=+<>#;"\\]{1,64}(,(CN|OU|O|C)=[^,=+<>#;"\\]{1,64}){0,7}$/,
      'must be like CN=kafka-sink,O=Penstock',
    )
    .optional()
    .describe('tls-certificate: whom it names'),
  lifetime: duration
    .optional()
    .describe('tls-certificate: how long it is valid; `every` and `overlap` twice unless given'),
  account: z
    .string()
    .regex(/^[^\s@/]+@[^\s@/]+$/, 'must be the e-mail address of a service account')
    .optional()
    .describe('service-account-key: whose key it is'),
  every: duration,
  overlap: duration.optional().describe('How long the old version works on; 1h unless given'),
  waitForUsers: duration
    .optional()
    .describe(
      'How long, after the overlap, the old version waits for who is still seen with it; as `overlap` unless given',
    ),
  destroyAfter: duration
    .optional()
    .describe('When, after the overlap, the old value is gone for good; 7d unless given'),
});
