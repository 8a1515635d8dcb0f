import { setTimeout as delay } from 'node:timers/promises';
import { identities } from '../../deploy/cli/stack/identities.ts';
import type { RunningFunction } from '../../deploy/local/functions/run-function.ts';
import type { SinkRig } from './sink-rig.ts';

const REQUEST_TIMEOUT_MS = 180_000;
const ASK_AGAIN_MS = 300;

/** Where a rotator is killed: before an effect, or after it and before it is noted. */
export interface KillPoint {
  readonly effect: string;
  readonly phase: 'before' | 'after';
}

/** Each effect of a rotation, from both sides. */
const EFFECTS = ['add-version', 'alias', 'set', 'test', 'revoke', 'end-version'];
export const killPoints: readonly KillPoint[] = EFFECTS.flatMap((effect) => [
  { effect, phase: 'before' } as const,
  { effect, phase: 'after' } as const,
]);

/** What rotate-secrets answered; undefined when it died over it, or wants to be asked again. */
export interface RotateAnswer {
  readonly step?: string;
  readonly secrets?: readonly { readonly error?: string }[];
}

/** Processes of rotate-secrets that are asked, killed and replaced. */
export interface RotationCrew {
  /** Kills with -9 whichever comes to the next point first; the one before it has to have been reached. */
  armNext(): void;
  disarm(): void;
  kills: number;
  /** Kills by the point's name. */
  readonly killedAt: ReadonlyMap<string, number>;
  readonly alerts: readonly string[];
  /** Asks one of them once. */
  ask(which: number, request: { readonly body: unknown; readonly id?: string }): Promise<RotateAnswer | undefined>;
  /** Asks all at once, again and again, until one of them has done it. */
  untilDone(
    request: { readonly body: unknown; readonly id?: string },
    isDone: (answer: RotateAnswer) => boolean,
  ): Promise<RotateAnswer>;
  readonly size: number;
}

/** Starts them on a rig, which ends them. */
export async function openRotationCrew(rig: SinkRig, size: number): Promise<RotationCrew> {
  const members: (RunningFunction | undefined)[] = [];
  const killedAt = new Map<string, number>();
  const alerts: string[] = [];
  const start = async (which: number): Promise<void> => {
    const member = await rig.startRotator((line) => hear(which, line));
    members[which] = member;
    void member.ended.then(async () => {
      members[which] = undefined;
      if (!rig.isClosed()) await start(which).catch(() => {});
    });
  };
  let armed: KillPoint | undefined;
  let armedCount = 0;
  const crew: RotationCrew = {
    armNext() {
      armed ??= killPoints[armedCount++ % killPoints.length];
    },
    disarm() {
      armed = undefined;
    },
    kills: 0,
    killedAt,
    alerts,
    size,
    async ask(which, { body, id }) {
      const member = members[which];
      if (!member) return undefined;
      const token = await rig.cloud.identity.mintIdToken(identities.scheduler, member.audience);
      const answer = await fetch(member.url, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${token}`,
          ...(id === undefined ? {} : { 'idempotency-key': id }),
        },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      }).catch(() => undefined);
      if (!answer?.ok) return undefined;
      const said: unknown = await answer.json().catch(() => undefined);
      return typeof said === 'object' && said !== null ? said : undefined;
    },
    async untilDone(request, isDone) {
      const deadline = performance.now() + REQUEST_TIMEOUT_MS;
      while (performance.now() < deadline) {
        const answers = await Promise.all(members.map((_, which) => crew.ask(which, request)));
        const done = answers.find((answer) => answer !== undefined && isDone(answer));
        if (done) return done;
        await delay(ASK_AGAIN_MS);
      }
      throw new Error(`No rotator did ${JSON.stringify(request)} within ${REQUEST_TIMEOUT_MS} ms`);
    },
  };
  const hear = (which: number, line: string): void => {
    const told = parse(line);
    if (told.severity === 'ALERT') alerts.push(String(told.message));
    if (told.severity === 'WARNING' && told.stillUsedBy) alerts.push(String(told.message));
    if (!armed || told.effect !== armed.effect) return;
    const isAfter = told.audit === true;
    if (isAfter !== (armed.phase === 'after')) return;
    const name = `${armed.phase} ${armed.effect}`;
    armed = undefined;
    members[which]?.kill('SIGKILL');
    crew.kills += 1;
    killedAt.set(name, (killedAt.get(name) ?? 0) + 1);
  };
  await Promise.all(Array.from({ length: size }, (_, which) => start(which)));
  return crew;
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}
