import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A benchmark's own build, whose folder has another name each time. */
const OWN_BUILD = /^dist\/\.bench-[^/]+\//;
const root = resolve(import.meta.dirname, '../../..');

/** What the inspector writes with `--cpu-prof`. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  /** The node on top of the stack, by id, at each sample. */
  readonly samples: readonly number[];
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** Both count from 0. */
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** One function as it was called from one place, with the time that it took. */
export interface ProfileNode {
  readonly name: string;
  /** Where the function is written: a path of this repository, a package, or `node:…`; empty for V8's own. */
  readonly source: string;
  readonly selfMicros: number;
  readonly totalMicros: number;
  readonly children: readonly ProfileNode[];
}

/** V8's names for time in which the thread did nothing for us. */
const RESTING = new Set(['(idle)', '(program)']);

/**
 * Makes a tree of a profile: each sample's time goes to the function on top. Time without work is left out. Functions of bundles
 * are named after the files that their source maps name.
 *
 * @returns the root
 */
export function readProfile(profile: CpuProfile, sourceOf: (frame: CallFrame) => string = findSource): ProfileNode {
  const micros = new Map<number, number>();
  profile.samples.forEach((id, at) => {
    micros.set(id, (micros.get(id) ?? 0) + Math.max(0, profile.timeDeltas[at] ?? 0));
  });
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const build = (id: number): ProfileNode => {
    const node = byId.get(id);
    if (!node) throw new Error(`The profile has no node ${id}`);
    const name = node.callFrame.functionName || '(anonymous)';
    const children = (node.children ?? []).map(build);
    const selfMicros = RESTING.has(name) ? 0 : (micros.get(id) ?? 0);
    const totalMicros = children.reduce((sum, child) => sum + child.totalMicros, selfMicros);
    return { name, source: sourceOf(node.callFrame), selfMicros, totalMicros, children };
  };
  const [first] = profile.nodes;
  if (!first) throw new Error('The profile is empty');
  return build(first.id);
}

const maps = new Map<string, SourceMap | undefined>();

function findSource({ url, lineNumber, columnNumber }: CallFrame): string {
  if (!url.startsWith('file:') && !url.startsWith('/')) return url;
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  if (!maps.has(path)) {
    const file = `${path}.map`;
    maps.set(path, existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : undefined);
  }
  const entry = maps.get(path)?.findEntry(lineNumber, columnNumber);
  const source = entry && 'originalSource' in entry ? resolve(path, '..', entry.originalSource) : path;
  return relative(root, source).replace(OWN_BUILD, 'dist/');
}
