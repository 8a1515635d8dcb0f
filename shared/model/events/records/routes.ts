import type { RouteCondition } from '../../config/declaration.ts';
import { Double, ExactNumber } from '../values/document-leaf.ts';
import type { JsonValue } from '../values/exact-json.ts';
import type { OpenedRecord } from './opened-record.ts';
import { fieldAt } from './read-source.ts';

/** Says whether a record meets a condition. */
export type MeetsCondition = (opened: OpenedRecord) => boolean;

/** Compiles a route's condition. */
export function conditionOf(condition: RouteCondition | undefined): MeetsCondition {
  if (!condition) return () => true;
  const subject = subjectOf(condition.by);
  const { matches } = condition;
  if (matches !== undefined) {
    const pattern = new RegExp(`^(?:${matches})$`, 'u');
    return (opened) => {
      const text = subject(opened);
      return text !== undefined && pattern.test(text);
    };
  }
  const wanted = new Set(condition.in);
  return (opened) => {
    const text = subject(opened);
    return text !== undefined && wanted.has(text);
  };
}

function subjectOf(by: RouteCondition['by']): (opened: OpenedRecord) => string | undefined {
  switch (by.kind) {
    case 'topic':
      return ({ record }) => record.topic;
    case 'header':
      return ({ record }) => record.headers.findLast(({ name }) => name === by.name)?.value.toString();
    case 'field': {
      const at = fieldAt(by.path);
      return ({ value }) => textOf(value?.document === undefined ? undefined : at(value.document));
    }
    case 'keyField': {
      const at = fieldAt(by.path);
      return ({ key }) => textOf(key?.document === undefined ? undefined : at(key.document));
    }
  }
}

/** A scalar as the declaration writes it; nothing for null, objects and arrays. */
function textOf(value: JsonValue | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Double) return String(value.value);
  return value instanceof ExactNumber ? value.source : undefined;
}
