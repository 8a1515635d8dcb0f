import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../../base/errors.ts';

const testSchema = z.strictObject({
  name: z.string().min(1),
  who: z.string().min(1),
  issuer: z.string().min(1).optional(),
  groups: z.array(z.string().min(1)).optional(),
  action: z.string().min(1),
  what: z.string().min(1),
  feed: z.string().min(1).optional(),
  approved: z.boolean().optional(),
  all: z.boolean().optional(),
  back: z.boolean().optional(),
  sensitive: z.boolean().optional(),
  door: z.string().min(1).optional(),
  at: z.string().min(1).optional(),
  expect: z.enum(['allow', 'deny', 'needs approval']),
  by: z.string().min(1).optional(),
});

const fileSchema = z.strictObject({ tests: z.array(testSchema).min(1) });

/** One example of what policies are meant to say. */
export type AccessTest = Readonly<z.infer<typeof testSchema>> & { readonly file: string };

/**
 * Reads a file of examples.
 *
 * @throws {ConfigError} naming every mistake in it
 */
export function readAccessTests(file: string, text: string): AccessTest[] {
  const parsed = fileSchema.safeParse(parseYaml(file, text));
  if (parsed.success) return parsed.data.tests.map((test) => ({ ...test, file }));
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => ({
      file,
      path: path.join('.') || 'file',
      message,
      remedy: 'docs/policies.md shows an example',
    })),
  );
}

function parseYaml(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ file, path: 'syntax', message, remedy: 'Correct the YAML' }]);
  }
}
