import avsc from 'avsc';
import type { FlightEvent } from './peer-row.ts';

const schema: avsc.schema.RecordType = {
  type: 'record',
  name: 'Flight',
  fields: [
    { name: 'date', type: 'string' },
    { name: 'delay', type: 'int' },
    { name: 'distance', type: 'int' },
    { name: 'origin', type: 'string' },
    { name: 'destination', type: 'string' },
  ],
};

/** The schema of the same flights as Avro. */
export const flightSchema = JSON.stringify(schema);

/** avsc's codec of them: what writes the records, and what the peer reads them with. */
export const flightType: avsc.Type = avsc.Type.forSchema(schema);

/** Reads one record as the peer does. */
export function readFlight(bytes: Buffer): FlightEvent {
  const event: FlightEvent = flightType.fromBuffer(bytes);
  return event;
}
