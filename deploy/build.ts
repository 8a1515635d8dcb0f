import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { type BuildResult, build, type Plugin } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const require = createRequire(import.meta.url);

/** What a bundle must find in its own package at run time. The framework's registry is a map local to its module. */
const EXTERNAL = ['@google-cloud/functions-framework'];

interface RootPackage {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/**
 * Google's clients look for their proto files through `require.resolve` and `__dirname`, which point nowhere
 * in a bundle: both are pointed at `protos/` beside it.
 */
const protosBesideBundle: Plugin = {
  name: 'protos-beside-bundle',
  setup(plugin) {
    plugin.onLoad({ filter: /@google-cloud\/spanner\/build\/src\/protos\.js$/ }, ({ path }) => ({
      contents: replaceOnce(
        readFileSync(path, 'utf8'),
        "path.dirname(require.resolve('@google-cloud/spanner-api/package.json'))",
        "path.join(__dirname, 'protos', 'spanner-api')",
        path,
      ),
      loader: 'js',
    }));
    plugin.onLoad({ filter: /@google-cloud\/spanner\/build\/src\/common-grpc\/service\.js$/ }, ({ path }) => ({
      contents: replaceOnce(
        readFileSync(path, 'utf8'),
        "path.join(path.dirname(require.resolve('google-gax')), '..', 'protos')",
        "path.join(__dirname, 'protos', 'gax')",
        path,
      ),
      loader: 'js',
    }));
    plugin.onLoad({ filter: /google-gax\/build\/src\/grpc\.js$/ }, ({ path }) => ({
      contents: replaceOnce(
        readFileSync(path, 'utf8'),
        "path.join(__dirname, '..', '..', 'build', 'protos')",
        "path.join(__dirname, 'protos', 'gax')",
        path,
      ),
      loader: 'js',
    }));
  },
};

/**
 * What not every deployment loads stays out of the file that all of them load: telemetry costs 4 MB as mere text, policies 4 MB of
 * WebAssembly, Arrow 1 MB, certificates half of one. Each lies in the same folder, as the bundle's import expects it.
 */
const BESIDE = [
  'shared/adapters/telemetry/otlp.ts',
  'shared/adapters/policy/cedar-engine.ts',
  'shared/model/tensors/arrow-layout.ts',
  'functions/rotate-secrets/strategies/issue-certificate.ts',
];
const WASM = 'cedar_wasm_bg.wasm';

const besideBundle: Plugin = {
  name: 'beside-bundle',
  setup(plugin) {
    plugin.onResolve({ filter: /^\.\/[\w-]+\.ts$/ }, ({ kind, path, resolveDir }) => {
      const isBeside = BESIDE.some((beside) => join(root, beside) === resolve(resolveDir, path));
      if (kind !== 'dynamic-import' || !isBeside) return undefined;
      return { path: path.replace(/\.ts$/, '.js'), external: true };
    });
  },
};

/** Those of them that the bundle loads: what it names in code that was left out of it does not count. */
function loadedBeside({ metafile }: BuildResult<{ metafile: true }>): string[] {
  const loaded = new Set(Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path)));
  return BESIDE.filter((file) => loaded.has(`./${basename(file, '.ts')}.js`)).map((file) => join(root, file));
}

/** @throws when the library no longer holds the text: a silent miss would only show in production */
function replaceOnce(source: string, text: string, by: string, path: string): string {
  if (!source.includes(text)) throw new Error(`${path} no longer holds ${text}: look at how it finds its protos now`);
  return source.replace(text, by);
}

/** Bundles one function with everything that it deploys with. */
async function buildFunction(
  name: string,
  { dist, plugins }: { readonly dist: string; readonly plugins: readonly Plugin[] },
): Promise<number> {
  const source = join(root, 'functions', name);
  const out = join(dist, name);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const entries = ['index', 'worker', 'thread'].filter((entry) => existsSync(join(source, `${entry}.ts`)));
  const bundle = (paths: readonly string[]) =>
    build({
      entryPoints: paths.map((path) => ({ in: path, out: basename(path, '.ts') })),
      outdir: out,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      external: EXTERNAL,
      // The form that carries its WebAssembly in itself: a file beside it would not be found from a bundle.
      alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
      define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '__filename' },
      plugins: [...plugins, protosBesideBundle, besideBundle],
      sourcemap: 'linked',
      sourcesContent: false,
      // Measured: minified bundles start slower, since Node compiles lazily by function.
      minify: false,
      metafile: true,
      logLevel: 'warning',
      logOverride: { 'empty-import-meta': 'error' },
    });
  const result = await bundle(entries.map((entry) => join(source, `${entry}.ts`)));
  const beside = loadedBeside(result);
  const results = beside.length === 0 ? [result] : [result, await bundle(beside)];
  if (Object.keys(result.metafile.inputs).some((path) => path.includes('node_modules/google-gax/'))) copyProtos(out);
  if (existsSync(join(out, 'cedar-engine.js'))) {
    // Cedar reads it from its own folder, which is the bundle's.
    cpSync(require.resolve('@cedar-policy/cedar-wasm/nodejs').replace(/[^/\\]+$/, WASM), join(out, WASM));
  }
  if (existsSync(join(source, 'assets'))) {
    cpSync(join(source, 'assets'), join(out, 'assets'), { recursive: true });
    // A page's own script may need it, and a deployed package has no node_modules of ours.
    cpSync(require.resolve('idiomorph/dist/idiomorph.min.js'), join(out, 'assets/idiomorph.min.js'));
  }
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(deployedPackage(name), null, 2)}\n`);
  return results.reduce((sum, one) => sum + outputBytes(one), 0);
}

function copyProtos(out: string): void {
  // The package's main is build/src/index.js; its package.json is not exported.
  const gax = resolve(dirname(require.resolve('google-gax')), '../..');
  cpSync(join(gax, 'build/protos'), join(out, 'protos/gax'), {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || path.endsWith('.proto') || path.endsWith('.json'),
  });
}

function deployedPackage(name: string): unknown {
  const { version, dependencies }: RootPackage = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return {
    name: `penstock-${name}`,
    version,
    private: true,
    type: 'commonjs',
    main: 'index.js',
    engines: { node: '>=24 <25' },
    scripts: { start: `functions-framework --target=${name}` },
    dependencies: Object.fromEntries(EXTERNAL.map((external) => [external, dependencies[external]])),
  };
}

function outputBytes(result: BuildResult<{ metafile: true }>): number {
  return Object.entries(result.metafile.outputs)
    .filter(([path]) => path.endsWith('.js'))
    .reduce((sum, [, { bytes }]) => sum + bytes, 0);
}

/** True when some source is newer than the last build. */
function isStale(): boolean {
  const stamp = join(root, 'dist/.built');
  if (!existsSync(stamp)) return true;
  const builtAt = statSync(stamp).mtimeMs;
  const newer = (path: string): boolean =>
    statSync(path).isDirectory()
      ? readdirSync(path).some((entry) => newer(join(path, entry)))
      : statSync(path).mtimeMs > builtAt;
  return ['functions', 'shared', 'package-lock.json', 'deploy/build.ts'].some((path) => newer(join(root, path)));
}

/**
 * Builds `dist/<function>/` for each folder of `functions/`.
 *
 * @param options.ifStale do nothing when no source has changed since the last build
 * @returns bytes of JavaScript by function; empty when nothing was stale
 */
export async function buildFunctions(options: { readonly ifStale?: boolean } = {}): Promise<Map<string, number>> {
  if (options.ifStale && !isStale()) return new Map();
  const dist = join(root, 'dist');
  const sizes = await buildInto(dist, readdirSync(join(root, 'functions')));
  writeFileSync(join(dist, '.built'), '');
  return sizes;
}

/**
 * Builds some functions into a folder of their own, below the project so that they find its packages.
 *
 * @param plugins change what is bundled, to try what breaks without it
 */
export async function buildInto(
  dist: string,
  names: readonly string[],
  plugins: readonly Plugin[] = [],
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of names) sizes.set(name, await buildFunction(name, { dist, plugins }));
  return sizes;
}

if (import.meta.main) {
  const sizes = await buildFunctions({ ifStale: process.argv.includes('--if-stale') });
  for (const [name, bytes] of sizes) console.log(`dist/${name}  ${(bytes / 1024 / 1024).toFixed(1)} MiB`);
}
