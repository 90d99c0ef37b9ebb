import { keptAwake } from '../database/same-snapshot.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../legacy/inspect.js';
import type { HoldsSource } from '../legacy/rules.js';
import { countAlone, MAX_ABSENT_NAMED, type CountedAlone } from './alone.js';
import { accountAbsent, lookCloser, type CountedCloser } from './corrections.js';
import { DORMANT_SINCE } from './dormant.js';
import { planParameters, type Holds } from './holds.js';
import type { CountedTwins } from './twins.js';

/** What all keys but the twins are. */
export interface Others {
  /** Keys by class, as `CountedTwins` has it. */
  classes: Record<string, number>;
  dormant: number;
  /** Accounts that are widened, be it by a twin. */
  widenedAccounts: number;
  /** The first ids of exceptions, as arrays that PostgreSQL wrote. Some may be of twins. */
  exceptions: string[];
}

export interface OthersOptions {
  holds: Holds;
  /** They may come later than the first count, which does without them. */
  twins: Promise<CountedTwins>;
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
 * twins and at keys without an account, takes out what they were counted for, and puts in what the latter are.
 */
export async function countOthers(session: ReadSession, schema: MappedSchema, { holds, twins: coming }: OthersOptions): Promise<Others> {
  await session.query(HASHED);
  const { since } = await session.one<{ since: string }>(`SELECT (${DORMANT_SINCE})::text AS since`);
  const all = await ask<CountedAlone>(session, (bound) => countAlone(schema.legacy, {
    holds: heldIn(schema, holds, bound), accountType: schema.types.account, dormantSince: bound.add(since, 'timestamptz') }));
  const twins = await keptAwake(session, coming);
  if (twins.key_ids === '{}' && all.absent === '0' && !all.nobodys) return sumUp(all);
  return sumUp(all, await ask<CountedCloser>(session, (bound) => lookCloser(schema.legacy, {
    holds: heldIn(schema, holds, bound),
    dormantSince: bound.add(since, 'timestamptz'),
    twins: bound.add(twins.key_ids, `${schema.types.id}[]`),
    widenedAccounts: bound.add(twins.widened_accounts, `${schema.types.account}[]`),
    absent: absentIn(schema, all, bound),
  })));
}

function absentIn({ legacy, types }: MappedSchema, { absent, absent_accounts, nobodys }: CountedAlone, bound: Bound): string {
  if (absent === '0' && !nobodys) return 'false';
  return accountAbsent(legacy, { named: Number(absent) > MAX_ABSENT_NAMED ? null : bound.add(absent_accounts, `${types.account}[]`), nobodys });
}

/** A hash of a few groups is what the counts want, and workers that hand them on, however many the planner expects. */
const HASHED = `SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off; SET LOCAL parallel_tuple_cost = 0`;

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

function sumUp(all: CountedAlone, closer?: CountedCloser): Others {
  const classes: Record<string, number> = {};
  const add = (counted: Record<string, number>, sign: 1 | -1): void => {
    for (const [name, keys] of Object.entries(counted)) classes[name] = (classes[name] ?? 0) + sign * keys;
  };
  add(classesOf(all), 1);
  if (closer !== undefined) {
    add(closer.as_if_alone, -1);
    add(closer.orphans, 1);
  }
  return {
    classes,
    dormant: Number(all.dormant) - Number(closer?.dormant ?? 0),
    widenedAccounts: Number(all.widened_accounts) - Number(closer?.unwidened ?? 0),
    exceptions: [all.exceptions, closer?.exceptions ?? '{}'],
  };
}

/** `move`, a key that moves and is dead, is what is left. */
function classesOf({ keys, stay, hold, widened, reasons }: CountedAlone): Record<string, number> {
  const others = { ...reasons, stay: Number(stay), hold: Number(hold), widened: Number(widened) };
  return { ...others, move: Number(keys) - Object.values(others).reduce((sum, n) => sum + n, 0) };
}
