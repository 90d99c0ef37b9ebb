import { inTheSame, type Beside } from '../database/same-snapshot.js';
import type { ReadSession } from '../database/session.js';
import { allDone } from '../database/together.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { bornKeysTable } from './born.js';
import { addCounts, type Classes } from './classes.js';
import { listExceptions, MAX_EXCEPTIONS_LISTED, REASONS } from './exceptions.js';
import { planParameters, type Holds } from './holds.js';
import { countOthers, type Others } from './others.js';
import { countTwins, type CountedTwins } from './twins.js';

export type Outcome = 'move' | 'stay' | 'merge' | 'hold' | 'exception';

export interface ExceptionKey {
  key_id: string;
  reason: string;
}

/** What `plan --json` prints. Counts are of per-API keys. */
export interface Plan {
  outcomes: Record<Outcome, number>;
  /** The first by key id, as many as were asked for; `exceptions_by_reason` counts all. */
  exceptions: ExceptionKey[];
  exceptions_by_reason: Record<string, number>;
  widening: { accounts: number; keys: number; store_apis: number; dormant_keys: number };
  total: number;
  batches: number;
  seconds_expected: number;
}

/** Moved rows a second on two cores of a small server, for a first guess; a rehearsal measures it. */
const ROWS_PER_SECOND = 60_000;

export interface PlanOptions {
  holds: Holds;
  /** Rows a batch, for the number of batches. */
  batchSize: number;
  /** Exceptions to list at most, by key id: 10,000 where nobody says. */
  listed?: number;
  /** A second session in the same snapshot, where there is one: half of the work is done in it. */
  beside?: Beside;
}

/**
 * Decides, in SQL and without writing, the outcome of every per-API key by the rules of the move.
 * Run it in a READ ONLY, REPEATABLE READ transaction, so that its statements see one state.
 */
export async function planMove(session: ReadSession, schema: MappedSchema, options: PlanOptions): Promise<Plan> {
  const { holds, batchSize, listed = MAX_EXCEPTIONS_LISTED, beside = inTheSame(session) } = options;
  const { legacy: l, types } = schema;
  const held = planParameters(schema, holds);
  const born = await bornKeysTable(session, schema);
  const coming = session.one<CountedTwins>(
    countTwins(l, { holds: held.source, tokenIndexed: types.tokenIndexed, born, listed }),
    held.values,
  );
  const [twins, others] = await allDone([
    coming,
    beside((other) => countOthers(other, schema, { holds, listed, beside: other !== session }), coming),
  ]);
  const classes = classesOfAll(twins, others);
  const count = (name: string): number => classes[name] ?? 0;
  const exceptionsByReason = Object.fromEntries(REASONS.filter((r) => count(r) > 0).map((r) => [r, count(r)]));
  const total = Object.values(classes).reduce((sum, keys) => sum + keys, 0);
  return {
    outcomes: {
      move: count('move') + count('widened'),
      stay: count('stay'),
      merge: count('merge'),
      hold: count('hold'),
      exception: Object.values(exceptionsByReason).reduce((sum, keys) => sum + keys, 0),
    },
    exceptions: await exceptionsOf(session, schema, { twins, others, listed }),
    exceptions_by_reason: exceptionsByReason,
    widening: {
      accounts: others.widenedAccounts - Number(twins.unwidened),
      keys: count('widened'),
      store_apis: await countStoreApis(session, schema),
      dormant_keys: others.dormant - Number(twins.dormant_as_if_alone) + Number(twins.dormant_keys),
    },
    total,
    batches: Math.ceil(total / batchSize),
    seconds_expected: Math.round((total / ROWS_PER_SECOND) * 10) / 10,
  };
}

/** Others know of no twins, and took each for what it would be alone: that is taken out, and what it is put in. */
function classesOfAll(twins: CountedTwins, others: Others): Classes {
  const classes = { ...others.classes };
  addCounts(classes, twins.as_if_alone, -1);
  addCounts(classes, { missing_account: Number(twins.orphans) }, -1);
  addCounts(classes, twins.classes, 1);
  return classes;
}

async function countStoreApis(session: ReadSession, { legacy: l }: MappedSchema): Promise<number> {
  const { apis } = await session.one<{ apis: string }>(`SELECT count(*) AS apis FROM ${l.apis} a WHERE ${l.inStore()}`);
  return Number(apis);
}

async function exceptionsOf(
  session: ReadSession,
  { legacy, types }: MappedSchema,
  { twins, others, listed }: { twins: CountedTwins; others: Others; listed: number },
): Promise<ExceptionKey[]> {
  const ids = others.exceptions.filter((array) => array !== '{}');
  if (ids.length === 0) return twins.exceptions;
  const all = `{${ids.map((array) => array.slice(1, -1)).join(',')}}`;
  return (
    await session.query<ExceptionKey>(listExceptions(legacy, { idType: types.id, listed }), [
      all,
      JSON.stringify(twins.exceptions),
    ])
  ).rows;
}
