import type { Readable } from 'node:stream';
import { Spanner } from '@google-cloud/spanner';

/** A row of flights as `json: true` gives it. */
export interface OfficialRow {
  readonly FlightId: string;
  readonly DepartedAt: Date;
  readonly DelayMinutes: number;
  readonly DistanceMiles: number;
  readonly Origin: string;
  readonly Destination: string;
}

/** The official client with a flow-control window of its own. */
export function openOfficialClient(columns: readonly string[], windowBytes: number) {
  // Channel options pass through the client; its types do not say so.
  const options = { projectId: 'p', 'grpc-node.flow_control_window': windowBytes };
  const spanner = new Spanner(options);
  const database = spanner.instance('i').database('d');
  return {
    rows: (): Readable =>
      database.table('Flights').createReadStream({ keySet: { all: true }, columns: [...columns], json: true }),
    async close() {
      await database.close();
      spanner.close();
    },
  };
}
