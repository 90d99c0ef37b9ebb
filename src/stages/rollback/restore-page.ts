import type { WriteSession } from '../../database/session.js';
import { sqlStateOf } from '../../database/sqlstate.js';
import { BY_INDEX } from '../../database/by-index.js';
import { archivedColumns, type ArchivedColumn } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { MARK_WRITES_OF_STAGE } from '../../mirror/own-writes.js';
import { lockAccountKeys } from '../finalize/statements.js';
import type { TriggerDecision } from '../../mapping/platform-triggers.js';
import { lockTriggers, type PageTriggers } from '../platform-triggers.js';
import { refusedByTriggers, throughTriggers } from '../trigger-refusals.js';
import { leaveKeys } from './left.js';
import { leftOf, restoreGroups, type RowGroup } from './left-statements.js';
import type { Page } from './pages.js';
import {
  countRestored,
  forgetArchived,
  readArchived,
  readTogether,
  restoreRows,
  type ArchivedRow,
} from './statements.js';

/** Groups of rows that are tried at once where the legacy table refuses some of a page. */
const PIECE = 500;

/** What restoring a page works with. */
interface PageScope {
  session: WriteSession;
  schema: MappedSchema;
  triggers: PageTriggers;
  columns: ArchivedColumn[];
}

/**
 * Brings a page of archived rows back. Rows that the legacy table refuses are kept in the ledger, and their account keys
 * stay. The restored rows are compared, whole, with the archived ones.
 *
 * @throws `triggers_change_rows`, `triggers_need_a_decision`; the page is rolled back then
 */
export async function restorePage(
  session: WriteSession,
  schema: MappedSchema,
  { after, triggers: decision }: { after: string | null; triggers: TriggerDecision | undefined },
): Promise<Page> {
  await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
  const triggers = await lockTriggers(session, schema, { event: 'INSERT', decision });
  const { rows: page } = await session.query<{ id: string; account_key_id: string }>(readArchived(schema), [after]);
  if (page.length === 0) return { keys: 0, last: null };
  const accountKeys = [...new Set(page.map((row) => row.account_key_id))];
  await session.query(lockAccountKeys(schema), [accountKeys]);
  const { rows } = await session.query<ArchivedRow>(readTogether(schema), [accountKeys]);
  const columns = (await archivedColumns(session, schema)).filter((column) => !column.generated);
  const keys = await restore({ session, schema, triggers, columns }, rows);
  return { keys, last: page.at(-1)!.id };
}

/** @returns how many rows are back in the legacy table */
async function restore(scope: PageScope, rows: readonly ArchivedRow[]): Promise<number> {
  const { session, schema, triggers, columns } = scope;
  const ids = rows.map((row) => row.id);
  await throughTriggers('restored', triggers, async () => {
    for (const groups of inHalves(groupsOf(rows))) await insert(scope, groups);
  });
  const { rows: left } = await session.query<{ id: string }>(leftOf(schema), [ids]);
  const isLeft = new Set(left.map((row) => row.id));
  const back = ids.filter((id) => !isLeft.has(id));
  const { rows: equal } = await session.one<{ rows: number }>(countRestored(schema, columns), [back]);
  if (equal !== back.length) throw refusedByTriggers('restored', triggers, { meant: back.length, equal });
  await session.query(forgetArchived(schema), [ids]);
  if (left.length > 0) await leaveKeys(session, schema, { rows, isLeft });
  return back.length;
}

interface Group extends RowGroup {
  pointsNowhere: boolean;
}

function groupsOf(rows: readonly ArchivedRow[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { id, account_key_id, points_nowhere: pointsNowhere } of rows) {
    const group = groups.get(account_key_id);
    if (group === undefined) groups.set(account_key_id, { account_key_id, ids: [id], pointsNowhere });
    else {
      group.ids.push(id);
      group.pointsNowhere ||= pointsNowhere;
    }
  }
  return [...groups.values()];
}

/** Rows that point nowhere apart: a foreign key refuses all of them, and none of the others. */
const inHalves = (groups: readonly Group[]): Group[][] =>
  [groups.filter((group) => !group.pointsNowhere), groups.filter((group) => group.pointsNowhere)].filter(
    (half) => half.length > 0,
  );

/** In one statement; where the legacy table refuses a row, in pieces; and within a refused piece, group by group. */
async function insert(scope: PageScope, groups: readonly RowGroup[]): Promise<void> {
  if (await insertTogether(scope, groups)) return;
  for (let at = 0; at < groups.length; at += PIECE) {
    const piece = groups.slice(at, at + PIECE);
    if (groups.length > PIECE && (await insertTogether(scope, piece))) continue;
    await scope.session.query(restoreGroups(scope.schema, namesOf(scope), piece));
  }
}

const namesOf = ({ columns }: PageScope): string[] => columns.map((column) => column.name);

/** @returns false where the legacy table refuses a row; then nothing was inserted */
async function insertTogether(scope: PageScope, groups: readonly RowGroup[]): Promise<boolean> {
  const { session, schema } = scope;
  await session.query('SAVEPOINT keylift_restore');
  try {
    await session.query(restoreRows(schema, namesOf(scope)), [groups.flatMap((group) => group.ids)]);
    await session.query('RELEASE SAVEPOINT keylift_restore');
    return true;
  } catch (error) {
    if (!isRefusedRow(error)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT keylift_restore; RELEASE SAVEPOINT keylift_restore');
    return false;
  }
}

/** A value that does not fit (22), or a constraint (23). */
const isRefusedRow = (error: unknown): boolean => /^2[23]/.test(sqlStateOf(error) ?? '');
