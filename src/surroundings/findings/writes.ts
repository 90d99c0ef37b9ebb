import type { Settings } from '../../config/settings.js';
import type { RowEvent } from '../catalog/triggers.js';
import type { Section } from '../catalog/tables.js';
import type { Phase } from '../finding.js';

/** A statement of keylift's that writes rows of a mapped table. */
interface Write {
  on: Section;
  event: RowEvent;
  phases: readonly Phase[];
  /** What it does, as the rest of a sentence: keylift … */
  does: string;
  /** Columns that an UPDATE may list in its SET; null for other events. */
  columns: ((settings: Settings) => readonly string[]) | null;
  /** It writes many rows in one statement. */
  inBulk?: boolean;
}

const columnsOf = (...values: readonly unknown[]): string[] => values.filter((value) => typeof value === 'string');

const lastUse = ({ legacy: { keys } }: Settings): string[] => columnsOf(keys.lastUsedAt);
const settingsOf = ({ legacy: { keys } }: Settings): string[] =>
  columnsOf(keys.name, keys.token, keys.account, keys.lastUsedAt, keys.revokedAt, keys.expiresAt, ...keys.carry);

const TARGET_COLUMNS = ['account_id', 'name', 'token', 'origin_api_id', 'created_at', 'last_used_at', 'revoked_at'];
const targetColumns = ({ legacy: { keys } }: Settings): string[] => [...TARGET_COLUMNS, 'expires_at', ...keys.carry];

/** All rows that keylift writes in the mapped tables. It writes none in the APIs' and the accounts' tables. */
const WRITES: readonly Write[] = [
  {
    on: 'keys',
    event: 'UPDATE',
    phases: ['mirror'],
    does: 'carries a change made in Settings to the per-API key',
    columns: settingsOf,
  },
  {
    on: 'keys',
    event: 'DELETE',
    phases: ['mirror'],
    does: 'deletes the per-API key of an account key that is deleted in Settings',
    columns: null,
  },
  {
    on: 'keys',
    event: 'UPDATE',
    phases: ['verify', 'switch', 'finalize', 'rollback'],
    does: 'synchronises last use in bulk',
    columns: lastUse,
    inBulk: true,
  },
  {
    on: 'keys',
    event: 'DELETE',
    phases: ['finalize'],
    does: 'moves rows into the archive',
    columns: null,
    inBulk: true,
  },
  { on: 'keys', event: 'INSERT', phases: ['rollback'], does: 'restores archived rows', columns: null, inBulk: true },
  {
    on: 'target',
    event: 'INSERT',
    phases: ['backfill', 'mirror'],
    does: 'adds an account key for a per-API key',
    columns: null,
    inBulk: true,
  },
  {
    on: 'target',
    event: 'UPDATE',
    phases: ['mirror', 'verify', 'switch', 'finalize'],
    does: 'carries a change of a per-API key to its account key',
    columns: targetColumns,
    inBulk: true,
  },
  {
    on: 'target',
    event: 'DELETE',
    phases: ['mirror', 'rollback'],
    does: 'removes account keys that came from per-API keys',
    columns: null,
    inBulk: true,
  },
];

/** What a trigger or a rule can meet. */
export interface Meeting {
  on: Section;
  events: readonly RowEvent[];
  /** Columns of UPDATE OF; empty: every UPDATE. */
  columns: readonly string[];
}

/** The writes of keylift that fire a trigger or a rule. */
export function writesThatMeet({ on, events, columns }: Meeting, settings: Settings): readonly Write[] {
  return WRITES.filter(
    (write) =>
      write.on === on &&
      events.includes(write.event) &&
      (write.columns === null ||
        write.columns(settings).some((column) => columns.length === 0 || columns.includes(column))),
  );
}

/** `keylift restores archived rows (rollback)`, one for each. */
export const textOfWrites = (writes: readonly Write[]): string =>
  writes.map(({ does, phases }) => `keylift ${does} (${phases.join(', ')})`).join('; ');

export const phasesOf = (writes: readonly Write[]): Phase[] => [...new Set(writes.flatMap(({ phases }) => phases))];
