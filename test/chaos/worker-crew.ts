import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import { type TopicPipeline, topicPipelines } from './history.ts';
import { type KillMoment, momentOf } from './moment-of.ts';
import { peakRssMb } from './peak-rss.ts';
import type { Random } from './random.ts';
import type { SinkRig } from './sink-rig.ts';
import type { Entrance } from './spanner-door.ts';
import { waitWhileMoving } from './wait-until.ts';

/** One place of the crew, with the worker that is in it now. */
export interface CrewMember {
  readonly entrance: Entrance;
  readonly worker: RunningFunction;
  /** Whether it has taken a partition since it was started: its fence was raised, by a commit. */
  readonly isWorking: boolean;
}

/** Workers of kafka-sink that are killed and replaced. */
export interface WorkerCrew {
  readonly members: readonly CrewMember[];
  working(): readonly CrewMember[];
  /** Waits until so many have taken partitions. */
  waitForWorking(count: number): Promise<void>;
  /**
   * Kills a worker with -9 and starts another in its place.
   *
   * @returns the moment at which it died, `any` where the one that was asked for did not come; undefined when it was gone by then
   */
  kill(member: CrewMember, moment: KillMoment): Promise<KillMoment | undefined>;
  /** Starts one more. */
  join(): Promise<void>;
  /** Ends one with SIGTERM; its exit code must be 0. */
  leave(): Promise<void>;
  /** Most memory of any worker yet, in MB. */
  peakRssMb(): number;
  /** What ended without being told to, or with another code than it should. */
  readonly crashes: readonly string[];
  /** Kills all of them for good. */
  close(): void;
}

/** The pipelines that a worker runs: a crew may be of several teams. */
export type Team = readonly TopicPipeline[];

interface Place {
  readonly entrance: Entrance;
  readonly team: Team;
  worker: RunningFunction;
  isWorking: boolean;
}

/** Starts workers on a rig, each with its own way to Spanner, as many in each team as its share is. */
export async function openWorkerCrew(
  rig: SinkRig,
  random: Random,
  { size, teams = [topicPipelines] }: { readonly size: number; readonly teams?: readonly Team[] },
): Promise<WorkerCrew> {
  const places: Place[] = [];
  const told = new Set<RunningFunction>();
  const crashes: string[] = [];
  let commits = 0;
  let peak = 0;
  const measure = ({ worker }: CrewMember): void => {
    peak = Math.max(peak, peakRssMb(worker.pid));
  };
  const bySize = (): Team[] => {
    const sizeOf = (team: Team): number => places.filter((place) => place.team === team).length;
    return teams.toSorted((a, b) => sizeOf(a) - sizeOf(b));
  };
  const begin = (entrance: Entrance, pipelines: Team, place: () => Place | undefined): RunningFunction => {
    const worker = rig.startSink({ entrance, pipelines });
    void worker.ended.then((code) => {
      if (told.delete(worker)) return;
      crashes.push(`a worker ended with ${code}: ${worker.lastLines().slice(-3).join(' ')}`);
      const left = place();
      if (left) replace(left);
    });
    return worker;
  };
  const replace = (place: Place): void => {
    place.entrance.hangUp();
    place.isWorking = false;
    place.worker = begin(place.entrance, place.team, () => (places.includes(place) ? place : undefined));
  };
  const end = (member: CrewMember, signal: NodeJS.Signals): void => {
    measure(member);
    told.add(member.worker);
    member.worker.kill(signal);
  };
  const join = async (): Promise<void> => {
    const entrance = await rig.cloud.door.openEntrance();
    const [team = topicPipelines] = bySize();
    const place: Place = { entrance, team, isWorking: false, worker: begin(entrance, team, () => place) };
    places.push(place);
    entrance.watch((moment) => {
      if (moment !== 'answered') return;
      commits += 1;
      place.isWorking = true;
    });
  };
  await warmUp(rig);
  for (let count = 0; count < size; count++) await join();
  const working = (): Place[] => places.filter(({ isWorking }) => isWorking);
  return {
    members: places,
    crashes,
    working,
    waitForWorking: (count) =>
      waitWhileMoving(`${count} workers have partitions`, () => {
        const { length } = working();
        return { isDone: length >= count, state: `${length} workers, ${commits} commits` };
      }),
    async kill(member, moment) {
      const place = places.find((one) => one.entrance === member.entrance);
      if (!place) return undefined;
      const { worker } = place;
      const came = await momentOf(place.entrance, moment, { random });
      // It may have crashed, and another may be there by now.
      if (place.worker !== worker) return undefined;
      end(place, 'SIGKILL');
      replace(place);
      return came;
    },
    join,
    async leave() {
      const largest = bySize().at(-1);
      const [place] = random.shuffle(places.filter(({ team }) => team === largest));
      if (!place) return;
      places.splice(places.indexOf(place), 1);
      measure(place);
      told.add(place.worker);
      await place.worker.stop();
      const code = await place.worker.ended;
      if (code !== 0) crashes.push(`a worker ended with ${code} after SIGTERM: ${place.worker.lastLines().at(-1)}`);
    },
    peakRssMb() {
      places.forEach(measure);
      return peak;
    },
    close() {
      for (const place of places.splice(0)) end(place, 'SIGKILL');
    },
  };
}

/** One worker ends as it should: it leaves Node's compile cache, which those that are killed never write, and all start sooner. */
async function warmUp(rig: SinkRig): Promise<void> {
  const entrance = await rig.cloud.door.openEntrance();
  const worker = rig.startSink({ entrance });
  const hasPartitions = new Promise<'working'>((settle) => {
    const unwatch = entrance.watch((moment) => {
      if (moment !== 'answered') return;
      unwatch();
      settle('working');
    });
  });
  await Promise.race([hasPartitions, worker.ended]);
  await worker.stop();
  const code = await worker.ended;
  if (code !== 0) throw new Error(`The first worker ended with ${code}:\n${worker.lastLines().join('\n')}`);
}
