import type { CompiledPipeline } from '../compile-pipeline.ts';
import type { CompiledTarget } from '../compile-target.ts';
import type { MappedRecord } from '../records/mapped-record.ts';
import { type PoisonClass, PoisonError } from '../records/poison.ts';
import type { TableMutation } from './change.ts';
import { RowStates } from './row-states.ts';
import type { StoredTables } from './stored-rows.ts';
import { type FamilyOperations, familyOperations } from './table-operations.ts';
import { type ChangePlace, type FamilyBatch, takeChange } from './take-change.ts';
import { type WrittenTable, type WrittenTables, writtenTables } from './written-tables.ts';

/** A record that was set aside, by its place among the records. */
export interface DeadChange {
  readonly at: number;
  readonly poison: PoisonClass;
  readonly reason: string;
}

/** What a run of records makes of the tables; every record is a row, skipped or dead. */
export interface Resolution {
  /** In the order in which the database must do them. */
  readonly mutations: readonly TableMutation[];
  readonly dead: readonly DeadChange[];
  /** Records whose change the tables take, those that a later one of the same key replaced included. */
  readonly rowCount: number;
  /** Records that change nothing, by a policy or because their version does not grow; by their place. */
  readonly skippedAt: readonly number[];
}

/**
 * Resolves a run of records, in their order, to what all tables of the pipeline must hold.
 *
 * All changes of one row become one operation; routes that share a table share its rows. What a change finds is what the
 * table holds after all records before it, so that any cut of the same records into runs ends in the same tables.
 *
 * @param stored what the database holds, read in the same transaction for `rowsToRead`
 */
export function resolveBatch(
  { targets }: CompiledPipeline,
  mapped: readonly MappedRecord[],
  stored: StoredTables,
): Resolution {
  const tables = writtenTables(targets);
  const families = tables.families.map((family) => openFamily(family, stored, mapped.length));
  const placeOf = placesOf(targets, tables, families);
  const dead: DeadChange[] = [];
  const skippedAt: number[] = [];
  let rowCount = 0;
  let last: CompiledTarget | undefined;
  let opened: OpenedPlace | undefined;
  for (let at = 0; at < mapped.length; at++) {
    const item = mapped[at];
    if (!item) continue;
    const { change, target } = item;
    if (target !== last) {
      last = target;
      opened = target && placeOf.get(target);
    }
    if (change.kind === 'encoded' && opened?.upsertBlindly) {
      opened.upsertBlindly(change, opened.place.writer);
      rowCount++;
    } else if (change.kind === 'poison') dead.push({ at, poison: change.poison, reason: change.reason });
    else if (change.kind === 'none' || !opened) skippedAt.push(at);
    else {
      const decision = takeChange(opened.family, opened.place, change);
      if (decision instanceof PoisonError) dead.push({ at, poison: decision.poison, reason: decision.message });
      else if (decision === 'skipped') skippedAt.push(at);
      else rowCount++;
    }
  }
  const mutations = families.flatMap(({ operations, states }) => [...operations.mutations(), ...states.mutations()]);
  return { mutations, dead, rowCount, skippedAt };
}

interface Family extends FamilyBatch {
  readonly family: readonly WrittenTable[];
}

/** Where a target's changes go. */
interface OpenedPlace {
  readonly place: ChangePlace;
  readonly family: Family;
  readonly upsertBlindly: FamilyOperations['upsertEncoded'];
}

function placesOf(
  targets: readonly CompiledTarget[],
  tables: WrittenTables,
  families: readonly Family[],
): ReadonlyMap<CompiledTarget, OpenedPlace> {
  const places = new Map<CompiledTarget, OpenedPlace>();
  for (const target of targets) {
    const place = tables.of(target);
    const family = place && families.find(({ family }) => family.includes(place.written));
    if (family) places.set(target, { place, family, upsertBlindly: blindUpsert(target, place, family) });
  }
  return places;
}

/** How whole rows are written whatever the table holds; undefined where that must be looked at. */
function blindUpsert(
  { target }: CompiledTarget,
  { written }: ChangePlace,
  { operations }: Family,
): FamilyOperations['upsertEncoded'] {
  const isBlind = target.mode === 'upsert' && !written.writers.some(({ readsFirst }) => readsFirst);
  return isBlind ? operations.upsertEncoded : undefined;
}

function openFamily(family: readonly WrittenTable[], stored: StoredTables, expectedRows: number): Family {
  return { family, operations: familyOperations(family, expectedRows), states: new RowStates(family, stored) };
}
