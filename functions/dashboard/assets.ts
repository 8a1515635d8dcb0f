import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** A static file of the page. */
export interface Asset {
  readonly name: string;
  readonly type: string;
  readonly bytes: Buffer<ArrayBuffer>;
  /** Changes with the content, so that a browser may keep the file for ever. */
  readonly version: string;
}

export type AssetName = 'css' | 'morph' | 'script' | 'icon';

/** Reads the page's files from the folder beside the module, or beside the bundle that it became part of. */
export function loadAssets(): Readonly<Record<AssetName, Asset>> {
  // In a CommonJS bundle there is no import.meta, and outside of one no __dirname.
  const here = import.meta.dirname ?? __dirname;
  const own = (name: string, type: string) => readAsset(join(here, 'assets', name), name, type);
  return {
    css: own('page.css', 'text/css; charset=utf-8'),
    script: own('page.js', 'text/javascript; charset=utf-8'),
    icon: own('icon.svg', 'image/svg+xml'),
    morph: readAsset(findMorph(here), 'idiomorph.min.js', 'text/javascript; charset=utf-8'),
  };
}

/** The build copies it beside the other files; from source it is the package's own. */
function findMorph(here: string): string {
  const copied = join(here, 'assets', 'idiomorph.min.js');
  return existsSync(copied) ? copied : createRequire(join(here, 'x.js')).resolve('idiomorph/dist/idiomorph.min.js');
}

function readAsset(path: string, name: string, type: string): Asset {
  const bytes = readFileSync(path);
  return { name, type, bytes, version: createHash('sha256').update(bytes).digest('base64url').slice(0, 12) };
}
