/** Bounds of one group. */
export interface GroupLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly bytes: number;
  readonly settle: { readonly resolve: (answer: R) => void; readonly reject: (error: unknown) => void };
}

/**
 * Commits what comes one by one in groups: while one group is being committed, the next one gathers. Alone, an item waits
 * for nothing.
 *
 * @param commit takes a group as a whole or not at all; answers for each item, in order
 * @returns a function that settles with the answer for its item, or rejects as the whole group did
 */
export function groupCommits<T, R>(
  commit: (items: readonly T[]) => Promise<readonly R[]>,
  limits: GroupLimits,
): (item: T, bytes: number) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  let isCommitting = false;

  const commitAll = async (): Promise<void> => {
    isCommitting = true;
    // What arrived in the same turn of the event loop belongs together.
    await new Promise((next) => setImmediate(next));
    while (waiting.length > 0) {
      const group = waiting.splice(0, groupLength(waiting, limits));
      await settleGroup(group, commit);
    }
    isCommitting = false;
  };

  return (item, bytes) =>
    new Promise<R>((resolve, reject) => {
      waiting.push({ item, bytes, settle: { resolve, reject } });
      if (!isCommitting) void commitAll();
    });
}

function groupLength(waiting: readonly { readonly bytes: number }[], { maxItems, maxBytes }: GroupLimits): number {
  let bytes = 0;
  let length = 0;
  for (const next of waiting) {
    bytes += next.bytes;
    if (length === maxItems || (length > 0 && bytes > maxBytes)) break;
    length++;
  }
  return length;
}

async function settleGroup<T, R>(
  group: readonly Waiting<T, R>[],
  commit: (items: readonly T[]) => Promise<readonly R[]>,
): Promise<void> {
  try {
    const answers = await commit(group.map(({ item }) => item));
    for (const [at, { settle }] of group.entries()) {
      const answer = answers[at];
      if (answer === undefined) settle.reject(new Error(`A group of ${group.length} got ${answers.length} answers`));
      else settle.resolve(answer);
    }
  } catch (error) {
    for (const { settle } of group) settle.reject(error);
  }
}
