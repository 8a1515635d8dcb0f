import { openPolicyEngine, type PolicyEngine } from '../adapters/policy/policy-engine.ts';
import { audit } from '../base/audit.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import {
  type AccessAction,
  type AccessRequest,
  type Circumstances,
  type Decision,
  plainCircumstances,
  type Resource,
  showName,
  writeResource,
} from '../model/access/access-request.ts';
import type { Asker } from '../model/access/asker.ts';
import { DeniedError } from '../model/access/denied-error.ts';
import { answerOf } from '../model/access/explain-access.ts';
import type { Declaration } from '../model/config/declaration.ts';

/** Asks the declared policies, and leaves an audit line of each decision. */
export interface Authority {
  /** False where no policies are declared: whoever the door lets in may do everything then. */
  readonly hasPolicies: boolean;
  /**
   * Decides, whatever the decision.
   *
   * @throws {PolicyUnavailableError} when the engine fails; that is audited as well
   */
  decide(asker: Asker, action: AccessAction, resource: Resource, about?: Partial<Circumstances>): Decision;
  /** @throws {DeniedError | PolicyUnavailableError} unless it is permitted */
  require(asker: Asker, action: AccessAction, resource: Resource, about?: Partial<Circumstances>): Decision;
  /** Whether it is denied, and would be permitted with a second person's yes. Not a decision: it leaves no line. */
  wouldApprovalHelp(asker: Asker, action: AccessAction, resource: Resource, about?: Partial<Circumstances>): boolean;
  /** Whether it is permitted as things stand, so that it can be offered. Not a decision: it leaves no line. */
  wouldPermit(asker: Asker, action: AccessAction, resource: Resource, about?: Partial<Circumstances>): boolean;
  /**
   * Decides of each column that a feed reads, and leaves one line of all.
   *
   * @throws {DeniedError | PolicyUnavailableError} naming the first that is not granted
   */
  requireColumns(reader: Asker, feed: string, columns: readonly Resource[]): void;
}

/** What an authority is opened with. */
export interface AuthorityOptions {
  /** The function that asks, or `penstock`. */
  readonly door: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly openEngine?: (declaration: Declaration) => Promise<PolicyEngine>;
}

const NO_POLICIES: Decision = { allowed: true, policies: [], why: 'no policies are declared' };

/**
 * Opens the policies of a declaration.
 *
 * @throws {ConfigError} naming every mistake in them: nothing starts with policies that do not hold
 */
export async function openAuthority(
  declaration: Declaration,
  { door, log, clock = systemClock, openEngine = openPolicyEngine }: AuthorityOptions,
): Promise<Authority> {
  const engine = declaration.access?.sources && (await openEngine(declaration));
  const ask = (request: AccessRequest): Decision =>
    engine ? engine.decide(request, { door, nowMs: clock() }) : NO_POLICIES;
  const audited = (request: AccessRequest, decideOf: () => Decision, columns: readonly string[] = []): Decision => {
    try {
      const decision = decideOf();
      auditDecision(log, { door, columns }, request, decision);
      return decision;
    } catch (error) {
      auditDecision(log, { door, columns }, request, { allowed: false, policies: [], why: messageOf(error) }, 'failed');
      throw error;
    }
  };
  const decide: Authority['decide'] = (asker, action, resource, about = {}) => {
    const request = { asker, action, resource, circumstances: { ...plainCircumstances, ...about } };
    return audited(request, () => ask(request));
  };
  return {
    hasPolicies: engine !== undefined,
    decide,
    require(asker, action, resource, about = {}) {
      const decision = decide(asker, action, resource, about);
      const circumstances = { ...plainCircumstances, ...about };
      if (!decision.allowed) throw new DeniedError({ asker, action, resource, circumstances }, decision);
      return decision;
    },
    wouldApprovalHelp(asker, action, resource, about = {}) {
      const request = { asker, action, resource, circumstances: { ...plainCircumstances, ...about } };
      try {
        return answerOf(request, ask).answer === 'needs approval';
      } catch {
        // The decision itself fails next, and is audited.
        return false;
      }
    },
    wouldPermit(asker, action, resource, about = {}) {
      try {
        return ask({ asker, action, resource, circumstances: { ...plainCircumstances, ...about } }).allowed;
      } catch {
        return false;
      }
    },
    requireColumns(asker, feed, columns) {
      const circumstances = { ...plainCircumstances, feed };
      const requests = columns.map((resource): AccessRequest => {
        return { asker, action: 'readColumns', resource, circumstances };
      });
      const whole: AccessRequest = {
        asker,
        action: 'readColumns',
        resource: { type: 'Feed', name: feed },
        circumstances,
      };
      const names = columns.map(({ name }) => name);
      let refused: DeniedError | undefined;
      audited(
        whole,
        () => {
          const decisions = requests.map((request) => ({ request, decision: ask(request) }));
          const first = decisions.find(({ decision: { allowed } }) => !allowed);
          refused = first && new DeniedError(first.request, first.decision);
          if (first)
            return { ...first.decision, why: `${showName(first.request.resource.name)}: ${first.decision.why}` };
          const policies = [...new Set(decisions.flatMap(({ decision: { policies } }) => policies))].sort();
          return { allowed: true, policies, why: `permitted by ${policies.join(', ')}` };
        },
        names,
      );
      if (refused) throw refused;
    },
  };
}

function auditDecision(
  log: Log,
  { door, columns }: { readonly door: string; readonly columns: readonly string[] },
  { asker, action, resource, circumstances }: AccessRequest,
  { allowed, policies, why }: Decision,
  failed?: 'failed',
): void {
  const about = Object.entries(circumstances).filter(([, value]) => value !== false && value !== undefined);
  audit(log, {
    action: 'access.decide',
    identity: showName(asker.name),
    resource: showName(writeResource(resource)),
    outcome: failed ?? (allowed ? 'done' : 'refused'),
    details: {
      asked: action,
      door,
      issuer: showName(asker.issuer),
      ...(asker.tokenId === undefined ? {} : { tokenId: asker.tokenId }),
      policies,
      why,
      ...(columns.length === 0 ? {} : { columns }),
      ...Object.fromEntries(about),
    },
  });
}
