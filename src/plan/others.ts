import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';
import { countAlone, MAX_ABSENT_NAMED, type CountedAlone } from './alone.js';
import { addCounts, type Classes } from './classes.js';
import { DORMANT_SINCE } from './dormant.js';
import { planParameters, type Holds } from './holds.js';
import { accountAbsent, countOrphans, type CountedOrphans } from './orphans.js';

/** What all keys are, if none of them has a twin. */
export interface Others {
  classes: Classes;
  dormant: number;
  widenedAccounts: number;
  /** The first ids of exceptions, as arrays that PostgreSQL wrote. Some may be of twins. */
  exceptions: string[];
}

export interface OthersOptions {
  holds: Holds;
  /** Ids of exceptions to name at most. */
  listed: number;
  /** Is another session searching for twins meanwhile? */
  beside?: boolean;
}

/** Values to be bound, each named by its number. */
class Bound {
  readonly values: unknown[] = [];
  add(value: unknown, type: string): string {
    return `$${String(this.values.push(value))}::${type}`;
  }
}

/**
 * Counts every key as if it were alone, which needs no search for twins and so can run beside it; then looks closer at
 * keys without an account, takes out what they were counted for, and puts in what they are.
 */
export async function countOthers(
  session: ReadSession,
  schema: MappedSchema,
  { holds, listed, beside = false }: OthersOptions,
): Promise<Others> {
  await session.query(beside ? `${HASHED}; ${WITH_ONE_WORKER}` : HASHED);
  const { since } = await session.one<{ since: string }>(`SELECT (${DORMANT_SINCE})::text AS since`);
  const all = await ask<CountedAlone>(session, (bound) =>
    countAlone(schema.legacy, {
      holds: heldIn(schema, holds, bound),
      accountType: schema.types.account,
      dormantSince: bound.add(since, 'timestamptz'),
      listed,
    }),
  );
  if (all.absent === '0' && !all.nobodys) return sumUp(all);
  return sumUp(
    all,
    await ask<CountedOrphans>(session, (bound) =>
      countOrphans(schema.legacy, {
        holds: heldIn(schema, holds, bound),
        dormantSince: bound.add(since, 'timestamptz'),
        absent: absentIn(schema, all, bound),
        listed,
      }),
    ),
  );
}

function absentIn(
  { legacy, types }: MappedSchema,
  { absent, absent_accounts, nobodys }: CountedAlone,
  bound: Bound,
): string {
  return accountAbsent(legacy, {
    named: Number(absent) > MAX_ABSENT_NAMED ? null : bound.add(absent_accounts, `${types.account}[]`),
    nobodys,
  });
}

/** A hash of a few groups is what the counts want, and workers that hand them on, however many the planner expects. */
const HASHED = `SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off; SET LOCAL parallel_tuple_cost = 0`;

/** The search for twins takes as long on its one core as this count on two: more workers would only keep it from that core. */
const WITH_ONE_WORKER = `SELECT set_config('max_parallel_workers_per_gather', least(current_setting('max_parallel_workers_per_gather')::int, 1)::text, true)`;

async function ask<T>(session: ReadSession, statement: (bound: Bound) => string): Promise<T> {
  const bound = new Bound();
  return session.one<T>(statement(bound), bound.values);
}

/** The question whether a key is held is only asked where anything is. */
function heldIn(schema: MappedSchema, holds: Holds, bound: Bound): HoldsSource | null {
  if (holds.keyIds.length + holds.accountIds.length === 0) return null;
  const { source, values } = planParameters(schema, holds, { first: bound.values.length + 1 });
  bound.values.push(...values);
  return source;
}

function sumUp(all: CountedAlone, orphans?: CountedOrphans): Others {
  const classes = classesOf(all);
  if (orphans !== undefined) {
    addCounts(classes, orphans.as_if_alone, -1);
    addCounts(classes, orphans.classes, 1);
  }
  return {
    classes,
    dormant: Number(all.dormant) - Number(orphans?.dormant ?? 0),
    widenedAccounts: Number(all.widened_accounts),
    exceptions: [all.exceptions, orphans?.exceptions ?? '{}'],
  };
}

/** `move`, a key that moves and is dead, is what is left. */
function classesOf({ keys, stay, hold, widened, reasons }: CountedAlone): Classes {
  const others = { ...reasons, stay: Number(stay), hold: Number(hold), widened: Number(widened) };
  return { ...others, move: Number(keys) - Object.values(others).reduce((sum, n) => sum + n, 0) };
}
