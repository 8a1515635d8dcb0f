import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openKafkaServer } from '../../../deploy/local/kafka/server.ts';
import { openBrokerConnection } from '../../../shared/adapters/kafka/wire/broker-connection.ts';
import { openSpannerChannel } from '../../../shared/adapters/spanner/channel.ts';
import { auditAttempts } from '../../../shared/base/audit.ts';
import { jsonLog } from '../../../shared/base/log.ts';

interface Line {
  readonly severity: string;
  readonly audit: boolean;
  readonly action: string;
  readonly identity: string;
  readonly resource: string;
  readonly outcome: string;
  readonly reason?: string;
}

/** A log in Cloud Logging's fields, and the lines that it wrote. */
function auditLines() {
  const lines: Line[] = [];
  return { lines, log: jsonLog('test', (line) => lines.push(JSON.parse(line))) };
}

function addressOf(hostAndPort: string) {
  const [host = '', port = ''] = hostAndPort.split(':');
  return { host, port: Number(port) };
}

test('auditAttempts() names the Kafka user of each attempt, those that were refused too, and no password', async () => {
  const server = await openKafkaServer({
    listeners: { SASL: { sasl: { mechanisms: ['SCRAM-SHA-256'] } } },
    users: { ada: 'right-password' },
  });
  const broker = server.addresses.SASL ?? '';
  const { lines, log } = auditLines();
  const connect = (passwords: readonly string[]) => {
    const credentials = async (fresh: boolean) => ({ username: 'ada', password: passwords[fresh ? 1 : 0] ?? '' });
    const onAttempt = auditAttempts(log, 'kafka.connect', 'sink@example.com');
    const access = {
      brokers: [broker],
      tls: undefined,
      auth: { mechanism: 'scram-sha-256', credentials },
      onAttempt,
    } as const;
    return openBrokerConnection(addressOf(broker), access, 'test');
  };
  // The first password is of an earlier rotation; the second attempt asks anew.
  (await connect(['old-password', 'right-password'])).close();
  await assert.rejects(connect(['bad-password', 'worse-password']));
  await server.close();
  assert.deepEqual(
    lines.map(({ severity, audit, action, identity, resource, outcome }) => [
      severity,
      audit,
      action,
      identity,
      resource,
      outcome,
    ]),
    ['failed', 'done', 'failed', 'failed'].map((outcome) => [
      'NOTICE',
      true,
      'kafka.connect',
      'ada',
      `kafka://${broker}`,
      outcome,
    ]),
  );
  assert.ok(!/password/.test(JSON.stringify(lines.map(({ reason, ...rest }) => rest))));
  assert.ok(lines.every(({ reason }) => !/right|old-|bad-|worse/.test(reason ?? '')));
});

test('auditAttempts() tells of a Spanner that cannot be reached', async () => {
  const { lines, log } = auditLines();
  const onAttempt = auditAttempts(log, 'spanner.connect', 'sink@example.com');
  const database = 'projects/p/instances/i/databases/d';
  const channel = openSpannerChannel(database, { SPANNER_EMULATOR_HOST: '127.0.0.1:1' }, { onAttempt });
  await assert.rejects(channel.session(Date.now() + 2_000));
  channel.close();
  const [line] = lines;
  assert.deepEqual(
    [line?.identity, line?.resource, line?.outcome],
    ['sink@example.com', 'http://127.0.0.1:1', 'failed'],
  );
  assert.match(line?.reason ?? '', /ECONNREFUSED/);
});

test('jsonLog() writes the fields that Cloud Logging reads', () => {
  const lines: string[] = [];
  jsonLog('kafka-sink', (line) => lines.push(line))('WARNING', 'late', { offset: 12n });
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.deepEqual(rest, {
    severity: 'WARNING',
    component: 'kafka-sink',
    message: 'late',
    'logging.googleapis.com/labels': { component: 'kafka-sink' },
    offset: '12',
  });
});
