import type { ReadSession, WriteSession } from '../database/session.js';
import { isPermission } from '../database/sqlstate.js';
import { keyliftError } from '../errors/keylift-error.js';
import type { MappedSchema } from '../mapping/inspect.js';
import {
  firingTriggers,
  readMetTriggers,
  type MetTrigger,
  type RowEvent,
  type TriggerDecision,
} from '../mapping/platform-triggers.js';

/** Which statement of a page meets the triggers, and what the operator decided about them. */
export interface TriggerOrder {
  event: RowEvent;
  decision: TriggerDecision | undefined;
}

/** How a page meets the platform's triggers. */
export interface PageTriggers {
  /** The platform's triggers that the page fires, in words. */
  fired: string[];
  /** Runs statements that fire, or do not fire, the triggers as decided. */
  around: <T>(statements: () => Promise<T>) => Promise<T>;
}

/** @throws `triggers_need_a_decision` where the platform has such triggers and nothing was decided. */
export async function requireDecision(
  session: ReadSession,
  { legacy }: MappedSchema,
  { event, decision }: TriggerOrder,
): Promise<void> {
  if (decision === undefined)
    refuseUndecided(firingTriggers(await readMetTriggers(session, legacy.keys, event)), event);
}

/**
 * Locks the legacy table against changes of its triggers until the transaction ends, and reads them under this lock. To
 * be called before the page locks rows: where triggers must be disabled, the page needs the table without other writers.
 *
 * @throws `triggers_need_a_decision`
 */
export async function lockTriggers(
  session: WriteSession,
  schema: MappedSchema,
  { event, decision }: TriggerOrder,
): Promise<PageTriggers> {
  const { keys } = schema.legacy;
  const onOwnPath = async <T>(statements: () => Promise<T>): Promise<T> => {
    const result = await statements();
    await session.query(`SET LOCAL search_path = ${schema.searchPath}`);
    return result;
  };
  // Deferred triggers and constraints act in the page, before it is compared, and ALTER TABLE finds none pending.
  await session.query(keepTriggers(keys));
  const met = await readMetTriggers(session, keys, event);
  const firing = firingTriggers(met);
  if (firing.length === 0) return { fired: [], around: onOwnPath };
  if (decision === undefined) refuseUndecided(firing, event);
  if (decision === 'fire') return { fired: firing.map(describe), around: onOwnPath };
  const silent = { fired: [] };
  if (replicaRoleFits(met, event) && (await mayBeReplica(session)))
    return { ...silent, around: (statements) => asReplica(session, () => onOwnPath(statements)) };
  await session.query(`LOCK TABLE ${keys} IN SHARE ROW EXCLUSIVE MODE`);
  return { ...silent, around: (statements) => withDisabled(session, firing, () => onOwnPath(statements)) };
}

const describe = ({ table, name, timing }: MetTrigger): string => `${name} on ${table}, ${timing}`;

function refuseUndecided(firing: readonly MetTrigger[], event: RowEvent): void {
  if (firing.length === 0) return;
  const does = event === 'DELETE' ? 'deletes the rows that it archives' : 'inserts the rows that it restores';
  throw keyliftError('triggers_need_a_decision', {
    message: `the platform has triggers on ${event} of per-API keys, and keylift ${does}`,
    facts: { triggers: firing.map(describe) },
  });
}

/**
 * In a replica session no ordinary trigger fires, and no constraint that triggers enforce is checked. The page itself
 * looks for rows that reference a deleted one. What an inserted row references only PostgreSQL checks.
 */
const replicaRoleFits = (met: readonly MetTrigger[], event: RowEvent): boolean =>
  met.every(({ enabled, enforces }) => (enforces ? event === 'DELETE' : enabled === 'O'));

async function mayBeReplica(session: WriteSession): Promise<boolean> {
  try {
    await session.query('SAVEPOINT keylift_replica; SET LOCAL session_replication_role = replica');
    return true;
  } catch (error) {
    if (isPermission(error)) return false;
    throw error;
  } finally {
    await session.query('ROLLBACK TO SAVEPOINT keylift_replica; RELEASE SAVEPOINT keylift_replica');
  }
}

/** An error leaves the role as it is: the transaction, or its savepoint, is rolled back then. */
async function asReplica<T>(session: WriteSession, statements: () => Promise<T>): Promise<T> {
  const { role } = await session.one<{ role: string }>(`SELECT current_setting('session_replication_role') AS role`);
  await session.query('SET LOCAL session_replication_role = replica');
  const result = await statements();
  await session.query(`SET LOCAL session_replication_role = ${role}`);
  return result;
}

async function withDisabled<T>(
  session: WriteSession,
  triggers: readonly MetTrigger[],
  statements: () => Promise<T>,
): Promise<T> {
  await alterTriggers(session, triggers, () => 'DISABLE');
  const result = await statements();
  await alterTriggers(session, triggers, ({ enabled }) => ENABLE[enabled]);
  return result;
}

const ENABLE = { O: 'ENABLE', A: 'ENABLE ALWAYS', R: 'ENABLE REPLICA' } as const;

/** Each table of a tree by itself: triggers of its tables may be enabled in different ways. */
async function alterTriggers(
  session: WriteSession,
  triggers: readonly MetTrigger[],
  change: (trigger: MetTrigger) => string,
): Promise<void> {
  const statements = triggers.map((t) => `ALTER TABLE ONLY ${t.table} ${change(t)} TRIGGER ${t.name}`);
  try {
    await session.query(statements.join('; '));
  } catch (error) {
    if (!isPermission(error)) throw error;
    throw keyliftError('triggers_not_skippable', {
      message: 'the role may neither set session_replication_role nor disable triggers of the legacy table',
      facts: { triggers: triggers.map(describe) },
      cause: error,
    });
  }
}

/** Keeps the triggers of the table as they are; deferred ones fire with their statement. */
export const keepTriggers = (keys: string): string =>
  `SET CONSTRAINTS ALL IMMEDIATE; LOCK TABLE ${keys} IN ROW EXCLUSIVE MODE`;
