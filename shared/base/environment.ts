import { ConfigError, type ConfigProblem } from './errors.ts';

/** Environment variables as a process has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One setting read from the environment. */
export interface Setting<T> {
  readonly variable: string;
  readonly read: (text: string) => T;
  /** Used when the variable is unset or empty; absent means required. */
  readonly fallback?: { readonly value: T };
  readonly remedy: string;
}

/** A text setting. */
export function text(variable: string, remedy: string, fallback?: string): Setting<string> {
  return {
    variable,
    remedy,
    read: (value) => value,
    ...(fallback === undefined ? {} : { fallback: { value: fallback } }),
  };
}

/** A comma-separated list of texts; empty when unset. */
export function list(variable: string, remedy: string): Setting<readonly string[]> {
  return {
    variable,
    remedy,
    read: (value) =>
      value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    fallback: { value: [] },
  };
}

/** A comma-separated list that names at least one. */
export function someOf(variable: string, remedy: string): Setting<readonly string[]> {
  const { read } = list(variable, remedy);
  return {
    variable,
    remedy,
    read: (value) => {
      const named = read(value);
      if (named.length === 0) throw new RangeError(`is ${JSON.stringify(value)}, which names none`);
      return named;
    },
  };
}

/** A whole number within bounds. */
export function wholeNumber(
  variable: string,
  bounds: { readonly min: number; readonly max: number; readonly fallback?: number },
): Setting<number> {
  const remedy = `Set ${variable} to a whole number from ${bounds.min} to ${bounds.max}`;
  return {
    variable,
    remedy,
    read: (value) => {
      const parsed = Number(value);
      if (!Number.isInteger(parsed) || parsed < bounds.min || parsed > bounds.max) {
        throw new RangeError(`is ${JSON.stringify(value)}, not a whole number from ${bounds.min} to ${bounds.max}`);
      }
      return parsed;
    },
    ...(bounds.fallback === undefined ? {} : { fallback: { value: bounds.fallback } }),
  };
}

/**
 * Reads all settings of a function from its environment.
 *
 * @throws {ConfigError} naming every missing or malformed variable
 */
export function readEnvironment<S extends Readonly<Record<string, Setting<unknown>>>>(
  settings: S,
  env: Environment,
): { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never } {
  const problems: ConfigProblem[] = [];
  const entries = Object.entries(settings).map(([name, setting]) => [name, readSetting(setting, env, problems)]);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.fromEntries(entries);
}

function readSetting(setting: Setting<unknown>, env: Environment, problems: ConfigProblem[]): unknown {
  const value = env[setting.variable];
  if (value === undefined || value === '') {
    if (setting.fallback) return setting.fallback.value;
    problems.push({ path: setting.variable, message: 'is not set', remedy: setting.remedy });
    return undefined;
  }
  try {
    return setting.read(value);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    problems.push({ path: setting.variable, message, remedy: setting.remedy });
    return undefined;
  }
}
