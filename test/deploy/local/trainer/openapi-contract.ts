import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { tableFromIPC } from 'apache-arrow';
import { parse } from 'yaml';
import * as z from 'zod';

const file = resolve(import.meta.dirname, '../../../../docs/trainer-contract.openapi.yaml');

/** One request with its answer, as it went over the wire. */
export interface Exchange {
  method: string;
  /** Path and query, as they were sent. */
  target: string;
  requestHeaders: Readonly<Record<string, string>>;
  requestBody: Buffer;
  status: number;
  responseHeaders: Readonly<Record<string, string>>;
  responseBody: Buffer;
}

/** What an exchange is by the document, and where it differs from it. */
export interface Verdict {
  /** `putBatch 409`; undefined for what the document does not list. */
  name: string | undefined;
  requestProblems: string[];
  answerProblems: string[];
}

const parameterSchema = z.object({
  name: z.string(),
  in: z.enum(['path', 'header']),
  required: z.boolean(),
  schema: z.unknown(),
  example: z.unknown(),
});
const headerSchema = z.object({ required: z.boolean(), schema: z.unknown(), example: z.unknown() });
const mediaSchema = z.object({
  schema: z.unknown().optional(),
  'x-header': z.unknown().optional(),
  'x-metadata': z.unknown().optional(),
  examples: z.record(z.string(), z.object({ value: z.unknown() })).optional(),
});
const contentSchema = z.record(z.string(), mediaSchema);
const operationSchema = z.object({
  operationId: z.string(),
  parameters: z.array(z.unknown()).default([]),
  requestBody: z.object({ required: z.boolean(), content: contentSchema }).optional(),
  responses: z.record(z.string(), z.unknown()),
});
const responseSchema = z.object({
  description: z.string(),
  headers: z.record(z.string(), z.unknown()).default({}),
  content: contentSchema,
});
const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

type Content = z.infer<typeof contentSchema>;

interface Operation {
  id: string;
  method: string;
  path: RegExp;
  parameters: z.infer<typeof parameterSchema>[];
  body: z.infer<typeof operationSchema>['requestBody'];
  responses: ReadonlyMap<string, { headers: Map<string, z.infer<typeof headerSchema>>; content: Content }>;
}

/** The OpenAPI document of the trainer, as a judge of what went over the wire. */
export interface Contract {
  /** `operationId status` of every answer that the document lists. */
  documented: ReadonlySet<string>;
  /** Methods that a path takes, by a path of that kind. */
  methods: ReadonlyMap<string, readonly string[]>;
  judge(exchange: Exchange): Verdict;
  /** What is wrong with the examples that the document itself gives; empty when they agree with their schemas. */
  exampleProblems(): string[];
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];

export function readContract(): Contract {
  const document: unknown = parse(readFileSync(file, 'utf8'));
  const { paths } = documentSchema.parse(document);
  const ajv = new Ajv2020({ strict: true, allErrors: true, coerceTypes: false, allowUnionTypes: true });
  const { components } = documentSchema.parse(document);
  ajv.addSchema({ $id: 'contract', $defs: asDefinitions(components.schemas) });
  const compiled = new Map<string, ValidateFunction>();
  const problemsOf = (schema: unknown, value: unknown, what: string): string[] => {
    const text = JSON.stringify(schema ?? false);
    const validate = compiled.get(text) ?? ajv.compile(absolute(text));
    compiled.set(text, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${what}${instancePath}: ${message}`);
  };
  const follow = (part: unknown): unknown => followRef(document, part);
  const operations = Object.entries(paths).flatMap(([template, item]) => readOperations(template, item, follow));
  return {
    documented: new Set(
      operations.flatMap(({ id, responses }) => [...responses.keys()].map((code) => `${id} ${code}`)),
    ),
    methods: methodsByPath(paths),
    judge: (exchange) => judge(exchange, operations, problemsOf),
    exampleProblems: () => operations.flatMap((operation) => exampleProblems(operation, problemsOf)),
  };
}

type ProblemsOf = (schema: unknown, value: unknown, what: string) => string[];

function readOperations(template: string, item: Record<string, unknown>, follow: (part: unknown) => unknown) {
  const shared = z.array(z.unknown()).default([]).parse(item.parameters);
  const path = new RegExp(`^${template.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]*)')}$`);
  return METHODS.filter((method) => method in item).map((method): Operation => {
    const { operationId: id, parameters, requestBody: body, responses } = operationSchema.parse(item[method]);
    const all = [...shared, ...parameters].map((one) => parameterSchema.parse(follow(one)));
    const answers = Object.entries(responses).map(([code, given]) => {
      const { headers, content } = responseSchema.parse(follow(given));
      const known = Object.entries(headers).map(([name, one]) => [name, headerSchema.parse(follow(one))] as const);
      return [code, { headers: new Map(known), content }] as const;
    });
    return { id, method: method.toUpperCase(), path, parameters: all, body, responses: new Map(answers) };
  });
}

function methodsByPath(paths: Record<string, Record<string, unknown>>): Map<string, string[]> {
  const sample = (template: string): string => template.replace('{epoch}', 'e1').replaceAll(/\{\w+\}/g, '0');
  const listed = (item: object): string[] =>
    METHODS.filter((method) => method in item).map((name) => name.toUpperCase());
  return new Map(Object.entries(paths).map(([template, item]) => [sample(template), listed(item)]));
}

function judge(exchange: Exchange, operations: readonly Operation[], problemsOf: ProblemsOf): Verdict {
  const path = exchange.target.replace(/\?.*$/, '');
  const operation = operations.find((one) => one.method === exchange.method && one.path.test(path));
  const here = `${exchange.method} ${exchange.target} → ${exchange.status}`;
  if (operation === undefined) {
    const answerProblems = exchange.status === 404 || exchange.status === 405 ? [] : [`${here}: is in no path`];
    return { name: undefined, requestProblems: [`${here}: is in no path`], answerProblems };
  }
  const requestProblems = [
    ...parameterProblems(operation, path, exchange.requestHeaders, problemsOf),
    ...requestBodyProblems(operation, exchange, problemsOf),
  ].map((problem) => `${here}: ${problem}`);
  const answerProblems = answerProblemsOf(operation, exchange, problemsOf).map((problem) => `${here}: ${problem}`);
  return { name: `${operation.id} ${exchange.status}`, requestProblems, answerProblems };
}

function parameterProblems(operation: Operation, path: string, headers: Exchange['requestHeaders'], check: ProblemsOf) {
  const groups = operation.path.exec(path)?.groups ?? {};
  return operation.parameters.flatMap(({ name, in: place, required, schema }) => {
    const text = place === 'path' ? decode(groups[name]) : headers[name.toLowerCase()];
    if (text === undefined) return required ? [`${name} is missing or unreadable`] : [];
    return check(
      schema,
      /^(0|[1-9]\d*)$/.test(text) && place === 'path' && name !== 'epoch' ? Number(text) : text,
      name,
    );
  });
}

function requestBodyProblems({ body }: Operation, exchange: Exchange, check: ProblemsOf): string[] {
  const { requestBody: bytes, requestHeaders } = exchange;
  if (bytes.length === 0) return body?.required ? ['the body is missing'] : [];
  if (body === undefined) return ['there is no body in the document'];
  return bodyProblems(body.content, requestHeaders['content-type'], bytes, check);
}

function answerProblemsOf(operation: Operation, exchange: Exchange, check: ProblemsOf): string[] {
  const { status, responseHeaders: headers, responseBody } = exchange;
  const answer = operation.responses.get(String(status));
  if (answer === undefined) return [`${operation.id} has no answer ${status}`];
  const missing = [...answer.headers].flatMap(([name, { required, schema }]) => {
    const value = headers[name.toLowerCase()];
    if (value === undefined) return required ? [`${name} is missing`] : [];
    return check(schema, value, name);
  });
  const problems = [...missing, ...bodyProblems(answer.content, headers['content-type'], responseBody, check)];
  if (headers['content-type'] !== 'application/problem+json') return problems;
  const told = z.object({ status: z.number() }).safeParse(readJson(responseBody)).data?.status;
  return told === status ? problems : [...problems, `the problem says ${told}`];
}

function bodyProblems(content: Content, type: string | undefined, body: Buffer, check: ProblemsOf): string[] {
  const name = type?.split(';')[0]?.trim().toLowerCase() ?? 'nothing';
  const media = content[name];
  if (media === undefined) return [`the body is ${name}; listed are ${Object.keys(content).join(', ')}`];
  if (media['x-header'] !== undefined) return check(media['x-header'], safetensorsHeader(body), 'header');
  if (media['x-metadata'] !== undefined) return check(media['x-metadata'], arrowMetadata(body), 'metadata');
  if (name.endsWith('json')) return check(media.schema, readJson(body), 'body');
  return check(media.schema, body.toString(), 'body');
}

/** Read here on its own: eight bytes of length, then JSON. */
function safetensorsHeader(body: Buffer): unknown {
  if (body.length < 8) return undefined;
  const length = Number(body.readBigUInt64LE(0));
  return length > body.length - 8 ? undefined : readJson(body.subarray(8, 8 + length));
}

function arrowMetadata(body: Buffer): unknown {
  try {
    return Object.fromEntries(tableFromIPC(body).schema.metadata);
  } catch {
    return undefined;
  }
}

function exampleProblems(operation: Operation, check: ProblemsOf): string[] {
  const contents = [operation.body?.content ?? {}, ...[...operation.responses.values()].map(({ content }) => content)];
  const inBodies = contents.flatMap((content) =>
    Object.entries(content).flatMap(([type, { schema, examples = {} }]) =>
      Object.entries(examples).flatMap(([name, { value }]) => check(schema, value, `${operation.id} ${type} ${name}`)),
    ),
  );
  const headers = [...operation.responses.values()].flatMap((answer) => [...answer.headers]);
  const inHeaders = headers.flatMap(([name, { schema, example }]) => check(schema, example, name));
  const inParameters = operation.parameters.flatMap(({ name, schema, example }) => check(schema, example, name));
  return [...inBodies, ...inHeaders, ...inParameters];
}

/** The document's schemas under their place in plain JSON Schema. */
function asDefinitions(schemas: Record<string, unknown>): Record<string, object> {
  return Object.fromEntries(Object.entries(schemas).map(([name, one]) => [name, absolute(JSON.stringify(one))]));
}

function absolute(text: string): object {
  const found: unknown = JSON.parse(text.replaceAll('"$ref":"#/components/schemas/', '"$ref":"contract#/$defs/'));
  return typeof found === 'object' && found !== null ? found : { not: {} };
}

function followRef(document: unknown, part: unknown): unknown {
  const ref = z.object({ $ref: z.string() }).safeParse(part).data?.$ref;
  if (ref === undefined) return part;
  return ref
    .slice(2)
    .split('/')
    .reduce((at: unknown, key) => z.record(z.string(), z.unknown()).parse(at)[key], document);
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
