import type { JsonObject, JsonValue } from '../events/values/exact-json.ts';

/** An object that a decoder fills. */
export type FilledObject = { [name: string]: JsonValue };

export function newObject(): FilledObject {
  return {};
}

/** Sets a field of any name, as `JSON.parse` does: `__proto__` is a name like others. */
export function setField(object: FilledObject, name: string, value: JsonValue): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  } else object[name] = value;
}

/** An object of these fields. */
export function objectOf(entries: Iterable<readonly [name: string, value: JsonValue]>): JsonObject {
  const object = newObject();
  for (const [name, value] of entries) setField(object, name, value);
  return object;
}
