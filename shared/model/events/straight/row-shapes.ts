import type { RowShape } from '../resolve/encoded-change.ts';

/** Records of one stream have few shapes; hostile ones could have one each. */
const MAX_SHAPES = 256;

/** The shapes of a target's rows: equal ones are one object. */
export class RowShapes {
  private readonly names: readonly string[];
  private readonly whole: RowShape;
  private readonly known = new Map<string, RowShape>();
  private last: RowShape;

  /** @param names of the target's columns, in their order */
  constructor(names: readonly string[]) {
    this.names = names;
    this.whole = { columns: names, absent: [] };
    this.last = this.whole;
  }

  /** The shape without the columns at the first `count` of these places, which are in order. */
  without(places: Int32Array, count: number): RowShape {
    if (count === 0) return this.whole;
    if (!isSame(this.last.absent, places, count)) this.last = this.find([...places.subarray(0, count)]);
    return this.last;
  }

  private find(absent: readonly number[]): RowShape {
    const id = absent.join();
    const known = this.known.get(id);
    if (known) return known;
    if (this.known.size >= MAX_SHAPES) this.known.clear();
    const shape = { columns: this.names.filter((_, place) => !absent.includes(place)), absent };
    this.known.set(id, shape);
    return shape;
  }
}

function isSame(absent: readonly number[], places: Int32Array, count: number): boolean {
  if (absent.length !== count) return false;
  for (let at = 0; at < count; at++) if (absent[at] !== places[at]) return false;
  return true;
}
