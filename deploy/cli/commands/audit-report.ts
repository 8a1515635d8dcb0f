import { openDatabase } from '../../../shared/adapters/spanner/open-database.ts';
import { openOverviewStore } from '../../../shared/adapters/spanner/overview-store.ts';
import { findAuditGaps } from '../../../shared/base/audit-chain.ts';
import { ConfigError } from '../../../shared/base/errors.ts';
import {
  linesWithin,
  type Period,
  type ReviewedChange,
  reportReviewed,
  reportUses,
  type Use,
} from '../../../shared/model/access/audit-report.ts';
import type { Declaration } from '../../../shared/model/config/declaration.ts';
import { describeAccess } from '../../../shared/model/grants/describe-access.ts';
import { functionAccess } from '../../../shared/model/grants/function-access.ts';
import { type OverduePeriod, overduePeriods } from '../../../shared/model/rotation/overdue-periods.ts';
import type { Output } from '../output.ts';
import { readAuditLines } from '../read-audit-lines.ts';
import { readConfig } from '../read-config.ts';
import { readDataUses } from '../read-data-uses.ts';

/** More rotations than a secret has in years. */
const MAX_ROTATIONS = 10_000;

/** What the command is asked for. */
export interface AuditReportOptions {
  readonly file: string;
  readonly config: string;
  readonly from: string;
  readonly to?: string;
}

/**
 * Reports on a period: who had access (by the declaration and its policies as they are now), who used it and who was refused (by
 * the lines), which secrets were older than their period (by the rotations that are written), who approved what (by the lines).
 */
export async function reportAudit(options: AuditReportOptions, output: Output): Promise<void> {
  const period = periodOf(options);
  const all = await readAuditLines(options.file);
  const gaps = findAuditGaps(all);
  const lines = linesWithin(all, period);
  const { declaration } = await readConfig(options.config, ['spanner']);
  const { data } = await readDataUses(declaration);
  const project = process.env.GOOGLE_CLOUD_PROJECT ?? declaration.spanner.database.split('/')[1] ?? '';
  const functions = functionAccess(declaration, data, project);
  const policies = (declaration.access?.sources ?? []).map(({ file, text }) => ({ file, text }));
  const uses = reportUses(lines);
  const refused = uses.filter(({ outcome }) => outcome === 'refused');
  const used = uses.filter(({ outcome }) => outcome !== 'refused');
  const overdue = await overdueSecrets(declaration, period);
  const reviewed = reportReviewed(lines);
  const [from, to] = [period.fromMs, period.toMs].map(timeOf);
  const report = { from, to, lines: lines.length, gaps, hadAccess: { functions, policies } };
  const text = [
    `Audit from ${from} to ${to}: ${lines.length} lines.`,
    heading('Lines that are missing or changed', gaps),
    `Who had access, as declared now\n${describeAccess(functions)}`,
    heading(
      'Policies as they are now (`penstock access explain` answers for one)',
      policies.flatMap(({ file, text: cedar }) => [`${file}:`, ...cedar.trimEnd().split('\n')]),
    ),
    heading('Who used it', used.map(describeUse)),
    heading('Who was refused', refused.map(describeUse)),
    heading('Secrets in use past their period', overdue.map(describeOverdue)),
    heading('What needed a second person', reviewed.map(describeReviewed)),
  ].join('\n\n');
  output.result({ ...report, used, refused, overdue, reviewed }, text);
}

function periodOf({ from, to }: AuditReportOptions): Period {
  const read = (name: string, text: string): number => {
    const ms = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(ms)) return ms;
    const remedy = 'Give a day, as 2026-11-01, or a time of RFC 3339, as 2026-11-01T07:00:00Z';
    throw new ConfigError([{ path: name, message: `is ${JSON.stringify(text)}, which is no time`, remedy }]);
  };
  const period = { fromMs: read('--from', from), toMs: to === undefined ? Date.now() : read('--to', to) };
  if (period.fromMs < period.toMs) return period;
  const message = `is ${to ?? 'now'}, which is not after --from ${from}`;
  throw new ConfigError([{ path: '--to', message, remedy: 'Give a later time' }]);
}

interface OverdueSecret extends Omit<OverduePeriod, 'madeAtMs' | 'dueAtMs' | 'replacedAtMs'> {
  readonly secret: string;
  readonly madeAt: string;
  readonly dueAt: string;
  readonly replacedAt: string | undefined;
}

async function overdueSecrets(declaration: Declaration, period: Period): Promise<OverdueSecret[]> {
  const secrets = Object.values(declaration.secrets);
  if (secrets.length === 0) return [];
  const opened = openDatabase(declaration.spanner.database);
  try {
    return await openOverviewStore(opened.database).read(async (reader) => {
      const found: OverdueSecret[] = [];
      for (const { name, everyMs } of secrets) {
        const late = overduePeriods(everyMs, await reader.rotations(name, MAX_ROTATIONS), period);
        for (const { version, madeAtMs, dueAtMs, replacedAtMs } of late) {
          const replacedAt = replacedAtMs === undefined ? undefined : timeOf(replacedAtMs);
          found.push({ secret: name, version, madeAt: timeOf(madeAtMs), dueAt: timeOf(dueAtMs), replacedAt });
        }
      }
      return found;
    });
  } finally {
    await opened.close();
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function heading(title: string, lines: readonly string[]): string {
  return [title, ...(lines.length === 0 ? ['none'] : lines).map((line) => `  ${line}`)].join('\n');
}

function describeUse({ identity, action, resource, outcome, count, rows, first, last }: Use): string {
  const counted = rows === undefined ? '' : `, ${rows} rows`;
  const when = first === last ? first : `${first} to ${last}`;
  return `${identity}  ${action} ${resource}: ${outcome} ${count} times${counted}, ${when}`;
}

function describeOverdue({ secret, version, madeAt, dueAt, replacedAt }: OverdueSecret): string {
  return `${secret}  version ${version}, made ${madeAt}, was due ${dueAt}, ${replacedAt ? `replaced ${replacedAt}` : 'is in use still'}`;
}

function describeReviewed({ approval, asked, resource, requestedBy, decidedBy, steps }: ReviewedChange): string {
  const became = steps.map(({ step, time, outcome }) => `${step} ${outcome} ${time}`).join('; ');
  return `${approval}  ${asked} ${resource}, asked for by ${requestedBy}, decided by ${decidedBy ?? 'nobody'}: ${became}`;
}
