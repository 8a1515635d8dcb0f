import { writeFile } from 'node:fs/promises';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { describeSource } from '../../../shared/model/config/describe-source.ts';
import { declarationJsonSchema } from '../../../shared/model/config/schema.ts';
import type { Output } from '../output.ts';
import { readConfig } from '../read-config.ts';

const RUNTIME_SECTIONS = ['spanner', 'kafka', 'registry', 'pipelines', 'feeds'];

/** Checks a declaration; variables need to be set only to compile it. */
export async function check(
  options: { readonly config: string; readonly compile?: string },
  output: Output,
): Promise<void> {
  const sections = options.compile === undefined ? [] : RUNTIME_SECTIONS;
  const withoutPolicies = options.compile === undefined ? 'say' : 'refuse';
  const { declaration, unsetVariables } = await readConfig(options.config, sections, withoutPolicies);
  if (options.compile !== undefined) await writeFile(options.compile, `${JSON.stringify(declaration)}\n`);
  const pipelines = Object.keys(declaration.pipelines);
  const feeds = Object.keys(declaration.feeds);
  output.result({ ok: true, pipelines, feeds, unsetVariables }, describe(options.config, declaration, unsetVariables));
}

/** Prints the JSON Schema of the declaration. */
export function printSchema(): void {
  process.stdout.write(`${JSON.stringify(declarationJsonSchema(), null, 2)}\n`);
}

function describe(file: string, declaration: Declaration, unsetVariables: readonly string[]): string {
  const lines = [`${file} is correct.`];
  for (const { name, source, targets } of Object.values(declaration.pipelines)) {
    const into = targets.map(({ table, mode }) => `${table} (${mode})`);
    lines.push(`  pipeline ${name}: ${describeSource(source)} → ${into.join(', ')}`);
  }
  for (const { name, table, transforms, trainer, files } of Object.values(declaration.feeds)) {
    const to = trainer?.url ?? files?.url;
    lines.push(`  feed ${name}: ${table} → ${transforms.length} tensors${to === undefined ? '' : ` → ${to}`}`);
  }
  if (declaration.access?.sources) {
    const files = declaration.access.sources.map(({ file }) => file);
    lines.push(`  policies: ${files.join(', ')}`);
  }
  if (unsetVariables.length > 0) lines.push(`Not set here, needed to run: ${unsetVariables.join(', ')}.`);
  return lines.join('\n');
}
