import { readFile } from 'node:fs/promises';
import type { Environment } from '../../base/environment.ts';
import { ConfigError } from '../../base/errors.ts';
import type { Declaration } from '../../model/config/declaration.ts';

const VERSION = 1;

/**
 * Reads the compiled declaration that PENSTOCK_DECLARATION names: JSON, written by `penstock check --compile FILE`.
 *
 * @throws {ConfigError} when the variable is unset, the file is missing, or another version of Penstock wrote it
 */
export async function loadDeclaration(env: Environment): Promise<Declaration> {
  const path = env.PENSTOCK_DECLARATION;
  if (!path) throw refusal('is not set', 'Set it to the file that `penstock check --compile FILE` wrote');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refusal(`names ${path}, which cannot be read: ${error.code}`, 'Compile penstock.yaml and deploy the file');
  });
  const declaration: unknown = parse(text, path);
  if (!isDeclaration(declaration)) {
    throw refusal(
      `names ${path}, which was not compiled by this version of Penstock`,
      'Compile penstock.yaml again with the version that is deployed',
    );
  }
  return declaration;
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal(`names ${path}, which is no JSON`, 'Name the compiled declaration, not penstock.yaml itself');
  }
}

/** The compiler wrote and checked it; the version says that it is the shape we know. */
function isDeclaration(value: unknown): value is Declaration {
  return typeof value === 'object' && value !== null && 'version' in value && value.version === VERSION;
}

function refusal(message: string, remedy: string): ConfigError {
  return new ConfigError([{ path: 'PENSTOCK_DECLARATION', message, remedy }]);
}
