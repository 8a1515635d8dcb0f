/** Members up to this one, and their spelling up to this length, are remembered from one record to the next. */
export const REMEMBERED_MEMBERS = 256;
export const REMEMBERED_BYTES = 128;

/** One member that some column needs: its value, members below it, or both. */
export interface WantedMember {
  readonly name: Uint8Array;
  /** Where its value's place is kept; every wanted member has one. */
  readonly slot: number;
  readonly inside: ObjectShape | undefined;
}

/** What is wanted of one object, and how the last record spelled it. */
export interface ObjectShape {
  readonly members: readonly WantedMember[];
  /** A hash table of places in `members`, plus one; 0 is free. Its length is a power of 2. */
  readonly places: Int32Array;
  /** The bytes of each member in the last record, from after `{` or `,` up to its value, a stride apart. */
  readonly spelled: Uint8Array;
  /** How many bytes those are; 0 where none are remembered. */
  readonly spelledLengths: Int32Array;
  /** Which of `members` each was; -1 for one that no column needs. */
  readonly spelledMembers: Int32Array;
}

/** Dotted paths as a tree, and the slot of each. */
export interface FieldTree {
  readonly root: ObjectShape;
  readonly slotCount: number;
  /** In the order of the paths given. */
  readonly slots: readonly number[];
}

interface Building {
  readonly slot: number;
  readonly inside: Map<string, Building>;
}

/** Compiles the paths of a record's fields; a path may come twice, and one may lead through another. */
export function fieldTree(paths: readonly string[]): FieldTree {
  const top = new Map<string, Building>();
  let slotCount = 0;
  const slots = paths.map((path) => {
    let level = top;
    let slot = -1;
    for (const name of path.split('.')) {
      let member = level.get(name);
      if (!member) {
        member = { slot: slotCount++, inside: new Map() };
        level.set(name, member);
      }
      slot = member.slot;
      level = member.inside;
    }
    return slot;
  });
  return { root: shapeOf(top), slotCount, slots };
}

function shapeOf(level: ReadonlyMap<string, Building>): ObjectShape {
  const members = [...level].map(([name, { slot, inside }]) => ({
    name: Buffer.from(name),
    slot,
    inside: inside.size === 0 ? undefined : shapeOf(inside),
  }));
  const places = new Int32Array(2 ** Math.ceil(Math.log2(2 * members.length + 1)));
  for (const [at, { name }] of members.entries()) {
    let place = hashOf(name, 0, name.length) & (places.length - 1);
    while (places[place] !== 0) place = (place + 1) & (places.length - 1);
    places[place] = at + 1;
  }
  return {
    members,
    places,
    spelled: new Uint8Array(REMEMBERED_MEMBERS * REMEMBERED_BYTES),
    spelledLengths: new Int32Array(REMEMBERED_MEMBERS),
    spelledMembers: new Int32Array(REMEMBERED_MEMBERS),
  };
}

/** Which member has this name; -1 for one that no column needs. */
export function findMember({ members, places }: ObjectShape, bytes: Uint8Array, from: number, to: number): number {
  const mask = places.length - 1;
  for (let place = hashOf(bytes, from, to) & mask; ; place = (place + 1) & mask) {
    const at = (places[place] ?? 0) - 1;
    if (at < 0) return -1;
    const name = members[at]?.name;
    if (name && isSame(name, bytes, from, to)) return at;
  }
}

function isSame(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[from + at]) return false;
  return true;
}

/** FNV-1a. Source: datatracker.ietf.org/doc/html/draft-eastlake-fnv. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  return hash ^ (hash >>> 15);
}
