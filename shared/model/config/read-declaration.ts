import { type Document, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { Environment } from '../../base/environment.ts';
import { ConfigError, type ConfigProblem } from '../../base/errors.ts';
import type { ListBeside } from './access-settings.ts';
import { compileDeclaration } from './compile.ts';
import type { Declaration } from './declaration.ts';
import type { ReadBeside } from './pipeline-settings.ts';
import { declarationSchema, feedSchema, pipelineSchema, type WrittenDeclaration } from './schema.ts';

const MAX_BYTES = 1024 * 1024;
const VARIABLE = /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g;

/** A declaration, and the variables that it names but the environment lacks. */
export interface ReadDeclaration {
  readonly declaration: Declaration;
  readonly unsetVariables: readonly string[];
  /** The folder of policies that is declared and cannot be found; nothing is guarded then. */
  readonly missingPolicies: string | undefined;
}

/**
 * Reads the text of a `penstock.yaml`.
 *
 * `${NAME}` is replaced from the environment, `${NAME:-text}` by the text when NAME is unset.
 *
 * @param source.sections sections whose variables must be set; in the others an unset variable keeps its name as value
 * @throws {ConfigError} naming every mistake with line and column
 */
export function readDeclaration(source: {
  readonly file: string;
  readonly text: string;
  readonly env: Environment;
  readonly sections: readonly string[];
  /** Reads a schema beside the declaration; without it, a declaration that names one is refused. */
  readonly readBeside?: ReadBeside;
  /** Lists a folder beside the declaration; without it, no policies are found. */
  readonly listBeside?: ListBeside;
}): ReadDeclaration {
  const { file, text } = source;
  if (text.length > MAX_BYTES) {
    const message = `has ${text.length} characters, more than ${MAX_BYTES}`;
    throw new ConfigError([{ file, path: 'file', message, remedy: 'Split it into several deployments' }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const problems: ConfigProblem[] = document.errors.map((error) => ({
    file,
    ...placeOf(lines, error.pos[0]),
    path: 'syntax',
    message: error.message,
    remedy: 'Correct the YAML',
  }));
  if (problems.length > 0) throw new ConfigError(problems);

  const locate = (path: readonly PropertyKey[]): { line: number; column: number } =>
    placeOf(lines, offsetOf(document, path));
  const unset = replaceVariables(document, source.env);
  for (const { name, path } of unset) {
    if (!source.sections.includes(String(path[0]))) continue;
    problems.push({
      file,
      ...locate(path),
      path: path.join('.'),
      message: `names the variable ${name}, which is not set`,
      remedy: `Set ${name}, or give a default: \${${name}:-…}`,
    });
  }
  const parsed = declarationSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    for (const issue of flatten(parsed.error.issues)) {
      problems.push({ file, ...locate(issue.path), ...wordIssue(issue, valueAt(document, issue.path)) });
    }
  }
  const { declaration, findings } = compileDeclaration(
    parsed.data ?? wellFormedPart(document.toJS()),
    source.readBeside ?? (() => undefined),
    source.listBeside,
  );
  for (const { path, message, remedy } of findings) {
    problems.push({ file, ...locate(path), path: path.join('.'), message, remedy });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const { policies, sources } = declaration.access ?? {};
  const missingPolicies = sources === undefined ? policies : undefined;
  return { declaration, unsetVariables: [...new Set(unset.map(({ name }) => name))], missingPolicies };
}

/** What can still be checked across settings when others are malformed: so that all mistakes show at once. */
function wellFormedPart(written: unknown): WrittenDeclaration {
  const spanner = { database: 'projects/p/instances/i/databases/d' };
  const kafka = { brokers: 'unknown' };
  const registry = { url: 'unknown' };
  const part = (section: string): [string, unknown][] => {
    const entries = isRecord(written) ? written[section] : undefined;
    return isRecord(entries) ? Object.entries(entries) : [];
  };
  const pipelines = part('pipelines').flatMap(([name, value]) => {
    const { data } = pipelineSchema.safeParse(value);
    return data ? [[name, data] as const] : [];
  });
  const feeds = part('feeds').flatMap(([name, value]) => {
    const { data } = feedSchema.safeParse(value);
    return data ? [[name, data] as const] : [];
  });
  return { spanner, kafka, registry, pipelines: Object.fromEntries(pipelines), feeds: Object.fromEntries(feeds) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
  readonly values?: readonly unknown[];
  readonly errors?: readonly (readonly Issue[])[];
}

/** A failed union says only "invalid input": the branch that came furthest says what is wrong. */
function flatten(issues: readonly Issue[]): Issue[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return (issue.keys ?? []).map((key) => ({ ...issue, path: [...issue.path, key] }));
    }
    const branches = issue.errors ?? [];
    if (branches.length === 0) return [issue];
    const depth = (branch: readonly Issue[]): number => Math.max(...branch.map(({ path }) => path.length));
    const deepest = [...branches].sort((a, b) => depth(b) - depth(a))[0] ?? [];
    return flatten(deepest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
  });
}

function wordIssue(issue: Issue, value: unknown): { path: string; message: string; remedy: string } {
  const path = issue.path.join('.') || 'file';
  const shown = value === undefined ? 'is missing' : `is ${JSON.stringify(value)}`;
  if (issue.code === 'unrecognized_keys') {
    return { path, message: 'is not a setting', remedy: 'Remove it, or correct its spelling' };
  }
  if (issue.code === 'invalid_value' && issue.values) {
    return { path, message: shown, remedy: `Use one of ${issue.values.map(String).join(', ')}` };
  }
  return { path, message: shown, remedy: wordRemedy(issue.message) };
}

/** `must be …` from our schema becomes `It must be …`; zod's `Too small: expected …` becomes `Expected …`. */
function wordRemedy(message: string): string {
  if (message.startsWith('must')) return `It ${message}`;
  const rest = message.slice(message.indexOf(': ') + 1).trim();
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

function replaceVariables(document: Document, env: Environment): { name: string; path: string[] }[] {
  const unset: { name: string; path: string[] }[] = [];
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key' || typeof node.value !== 'string') return;
      node.value = node.value.replace(VARIABLE, (whole, name: string, fallback: string | undefined) => {
        const value = env[name] || fallback;
        if (value !== undefined) return value;
        unset.push({ name, path: pathOf(ancestors, key) });
        return whole.replaceAll(/[${}]/g, '');
      });
    },
  });
  return unset;
}

function pathOf(ancestors: readonly unknown[], last: unknown): string[] {
  const path: string[] = [];
  for (const ancestor of ancestors) {
    if (typeof ancestor === 'object' && ancestor !== null && 'key' in ancestor && isScalar(ancestor.key)) {
      path.push(String(ancestor.key.value));
    }
  }
  return typeof last === 'number' ? [...path, String(last)] : path;
}

function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const keys = path.slice(0, length).map((key) => (typeof key === 'symbol' ? String(key) : key));
    const node = document.getIn(keys, true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}

function valueAt(document: Document, path: readonly PropertyKey[]): unknown {
  const node = document.getIn(
    path.map((key) => (typeof key === 'symbol' ? String(key) : key)),
    true,
  );
  if (!isNode(node)) return node;
  const value: unknown = node.toJS(document);
  return typeof value === 'object' && value !== null ? (Array.isArray(value) ? '[…]' : '{…}') : value;
}

function placeOf(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
