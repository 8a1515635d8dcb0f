import { type Database, Spanner, type Transaction } from '@google-cloud/spanner';
import { PenstockError } from '../../../base/errors.ts';
import { isAction, readResource, writeResource } from '../../../model/access/access-request.ts';
import { sameName } from '../../../model/access/asker.ts';
import { type Approval, type ApprovalState, type Content, standingOf } from '../../../model/approvals/approval.ts';
import { inTransaction } from '../epochs/in-transaction.ts';

const TABLE = 'PenstockApprovals';
const MAX_ERROR_CHARACTERS = 2_048;
const COLUMNS = [
  'ApprovalId',
  'State',
  'Action',
  'Resource',
  'Content',
  'Digest',
  'RequestedBy',
  'RequestedAt',
  'ExpiresAt',
  'DecidedBy',
  'DecidedAt',
  'Reason',
  'StartedAt',
  'FinishedAt',
  'Error',
] as const;

const STATES: readonly ApprovalState[] = ['requested', 'approved', 'denied', 'running', 'done', 'failed'];

/** Requests for a second person, in `PenstockApprovals`. */
export interface ApprovalStore {
  find(id: string): Promise<Approval | undefined>;
  /** Newest first. */
  list(limit: number): Promise<Approval[]>;
  /**
   * Saves a request, unless the same person has asked for the same already and that one still stands: then that one.
   *
   * @param nowMs when standing is looked at
   */
  request(wanted: Approval, nowMs: number): Promise<Approval>;
  /**
   * Changes one in a transaction: of two at once, the second sees what the first has left.
   *
   * @param next gives the new state, or throws to change nothing; may be called again after an abort
   * @throws {PenstockError} with code `NOT_FOUND`
   */
  change(id: string, next: (approval: Approval) => Approval): Promise<Approval>;
}

/** Opens the approvals of a database. */
export function openApprovalStore(database: Database): ApprovalStore {
  return {
    async find(id) {
      const [rows] = await database.run({ sql: `${SELECT} WHERE ApprovalId = @id`, params: { id }, json: true });
      return rows.map(approvalOf)[0];
    },
    async list(limit) {
      const sql = `${SELECT} ORDER BY RequestedAt DESC, ApprovalId LIMIT @limit`;
      const [rows] = await database.run({ sql, params: { limit: Spanner.int(limit) }, json: true });
      return rows.map(approvalOf);
    },
    request: (wanted, nowMs) =>
      inTransaction(database, async (transaction) => {
        const sql = `${SELECT} WHERE Digest = @digest`;
        const [rows] = await transaction.run({ sql, params: { digest: wanted.digest }, json: true });
        const standing = rows
          .map(approvalOf)
          .filter(({ requestedBy }) => sameName(requestedBy, wanted.requestedBy))
          .find((approval) => ['requested', 'approved'].includes(standingOf(approval, nowMs)));
        if (standing) return standing;
        transaction.insert(TABLE, rowOf(wanted));
        return wanted;
      }),
    change: (id, next) =>
      inTransaction(database, async (transaction) => {
        const approval = await readOne(transaction, id);
        if (!approval) throw unknownApproval(id);
        const changed = next(approval);
        transaction.update(TABLE, changedCells(approval, changed));
        return changed;
      }),
  };
}

/** The error of an id that no request has. */
export function unknownApproval(id: string): PenstockError {
  return new PenstockError(`There is no approval ${JSON.stringify(id.slice(0, 100))}`, {
    code: 'NOT_FOUND',
    remedy: 'List them: npx penstock approvals list',
    retryable: false,
  });
}

const SELECT = `SELECT ${COLUMNS.join(', ')} FROM ${TABLE}`;

async function readOne(transaction: Transaction, id: string): Promise<Approval | undefined> {
  const [rows] = await transaction.run({ sql: `${SELECT} WHERE ApprovalId = @id`, params: { id }, json: true });
  return rows.map(approvalOf)[0];
}

/** The key and what differs: who decides needs no leave to write what was asked for. */
function changedCells(before: Approval, after: Approval): Record<string, unknown> {
  const held = rowOf(before);
  const changed = Object.entries(rowOf(after)).filter(([name, value]) => name === 'ApprovalId' || held[name] !== value);
  return Object.fromEntries(changed);
}

function rowOf(approval: Approval): Record<string, unknown> {
  const time = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    ApprovalId: approval.id,
    State: approval.state,
    Action: approval.action,
    Resource: writeResource(approval.resource),
    Content: JSON.stringify(approval.content),
    Digest: approval.digest,
    RequestedBy: approval.requestedBy,
    RequestedAt: time(approval.requestedAtMs),
    ExpiresAt: time(approval.expiresAtMs),
    DecidedBy: approval.decidedBy ?? null,
    DecidedAt: time(approval.decidedAtMs),
    Reason: approval.reason?.slice(0, MAX_ERROR_CHARACTERS) ?? null,
    StartedAt: time(approval.startedAtMs),
    FinishedAt: time(approval.finishedAtMs),
    Error: approval.error?.slice(0, MAX_ERROR_CHARACTERS) ?? null,
  };
}

/** @throws {PenstockError} for a row that this version has not written: nothing is guessed about a yes */
function approvalOf(row: unknown): Approval {
  const cells = Object(row);
  const text = (name: string): string | undefined => (cells[name] === null ? undefined : String(cells[name]));
  const ms = (name: string): number | undefined => {
    const cell = cells[name];
    return cell === null ? undefined : Date.parse(cell instanceof Date ? cell.toISOString() : String(cell));
  };
  const action = String(cells.Action);
  const resource = readResource(String(cells.Resource));
  const state = STATES.find((known) => known === cells.State);
  if (!isAction(action) || !resource || !state) {
    throw new PenstockError(`Approval ${cells.ApprovalId} holds what this version does not know`, {
      code: 'APPROVAL_UNREADABLE',
      remedy: 'Look at its row, and use the version of Penstock that wrote it',
      retryable: false,
    });
  }
  return {
    id: String(cells.ApprovalId),
    state,
    action,
    resource,
    content: contentOf(cells.Content),
    digest: String(cells.Digest),
    requestedBy: String(cells.RequestedBy),
    requestedAtMs: ms('RequestedAt') ?? 0,
    expiresAtMs: ms('ExpiresAt') ?? 0,
    decidedBy: text('DecidedBy'),
    decidedAtMs: ms('DecidedAt'),
    reason: text('Reason'),
    startedAtMs: ms('StartedAt'),
    finishedAtMs: ms('FinishedAt'),
    error: text('Error'),
  };
}

function contentOf(cell: unknown): Content {
  return typeof cell === 'string' ? JSON.parse(cell) : Object(cell);
}
