/** The curve's state, as a checkpoint keeps it. */
export interface LossCurveState {
  points: { step: number; loss: number }[];
  /** Steps between two points: doubled whenever there are too many. */
  stride: number;
  /** Sum of the losses since the last point, and how many they are. */
  pendingSum: number;
  pendingCount: number;
  firstLoss?: number | undefined;
  recent: number[];
}

/** Follows the loss over any number of steps in bounded memory. */
export interface LossCurve {
  add(step: number, loss: number): void;
  readonly points: readonly { step: number; loss: number }[];
  readonly firstLoss: number | undefined;
  /** The mean over the last 20 steps: a single step's loss is noise. */
  readonly lastLoss: number | undefined;
  state(): LossCurveState;
}

const MAX_POINTS = 500;
const RECENT_STEPS = 20;

/** Opens a curve, empty or as it was saved. */
export function openLossCurve(saved?: LossCurveState): LossCurve {
  const curve: LossCurveState = saved ?? {
    points: [],
    stride: 1,
    pendingSum: 0,
    pendingCount: 0,
    recent: [],
  };
  return {
    add(step, loss) {
      curve.firstLoss ??= loss;
      curve.recent.push(loss);
      if (curve.recent.length > RECENT_STEPS) curve.recent.shift();
      curve.pendingSum += loss;
      curve.pendingCount += 1;
      if (step % curve.stride !== 0) return;
      curve.points.push({ step, loss: curve.pendingSum / curve.pendingCount });
      curve.pendingSum = 0;
      curve.pendingCount = 0;
      if (curve.points.length > MAX_POINTS) thin(curve);
    },
    get points() {
      return curve.points;
    },
    get firstLoss() {
      return curve.firstLoss;
    },
    get lastLoss() {
      if (curve.recent.length === 0) return undefined;
      return curve.recent.reduce((sum, loss) => sum + loss, 0) / curve.recent.length;
    },
    state: () => structuredClone(curve),
  };
}

/** Joins each two neighbours into one point, at the later one's step. */
function thin(curve: LossCurveState): void {
  const joined: LossCurveState['points'] = [];
  let before: LossCurveState['points'][number] | undefined;
  for (const point of curve.points) {
    if (before === undefined) {
      before = point;
    } else {
      joined.push({ step: point.step, loss: (before.loss + point.loss) / 2 });
      before = undefined;
    }
  }
  if (before !== undefined) {
    curve.pendingSum = before.loss * curve.stride;
    curve.pendingCount = curve.stride;
  }
  curve.points = joined;
  curve.stride *= 2;
}
