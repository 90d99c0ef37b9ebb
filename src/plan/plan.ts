import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../legacy/inspect.js';
import type { HoldsSource } from '../legacy/rules.js';
import { bornKeysTable } from './born.js';
import type { Holds } from './holds.js';
import { CLASSES_BY_THEMSELVES, countOthers, countTwins, listExceptions, REASONS } from './statements.js';

export type Outcome = 'move' | 'stay' | 'merge' | 'hold' | 'exception';

export interface ExceptionKey {
  key_id: string;
  reason: string;
}

/** What `plan --json` prints. Counts are of per-API keys. */
export interface Plan {
  outcomes: Record<Outcome, number>;
  /** At most 10,000; `exceptions_by_reason` counts all. */
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
}

/** Bound parameters that name the holds: the held key ids and account ids, the first of them numbered `first`. */
export function planParameters({ types }: MappedSchema, holds: Holds, { first = 1 } = {}): { source: HoldsSource; values: unknown[] } {
  const parameter = (at: number, type: string): string => `$${String(first + at)}::text[]::${type}[]`;
  return {
    source: { from: 'parameters', keyIds: parameter(0, types.id), accountIds: parameter(1, types.account) },
    values: [holds.keyIds, holds.accountIds],
  };
}

/**
 * Decides, in SQL and without writing, the outcome of every per-API key by the rules of the move.
 * Run it in a READ ONLY, REPEATABLE READ transaction, so that its statements see one state.
 */
export async function planMove(session: ReadSession, schema: MappedSchema, options: PlanOptions): Promise<Plan> {
  const { legacy: l, types } = schema;
  const held = planParameters(schema, options.holds);
  const born = await bornKeysTable(session, schema);
  const twins = await session.one<CountedTwins>(countTwins(l, { holds: held.source, tokenIndexed: types.tokenIndexed, born }), held.values);
  // A hash of all accounts and of the few groups is what the scan wants; the server's own settings come back with the
  // transaction's end.
  await session.query(`SET LOCAL work_mem = '64MB'`);
  await session.query('SET LOCAL enable_sort = off');
  const others = await countAllOthers(session, schema, { holds: options.holds, twins });
  const classes = addClasses(twins.classes, others);
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
    exceptions: await exceptionsOf(session, schema, { twins, others }),
    exceptions_by_reason: exceptionsByReason,
    widening: {
      accounts: Number(others.widened_accounts),
      keys: count('widened'),
      store_apis: Number(others.store_apis),
      dormant_keys: Number(twins.dormant_keys) + Number(others.dormant),
    },
    total,
    batches: Math.ceil(total / options.batchSize),
    seconds_expected: Math.round((total / ROWS_PER_SECOND) * 10) / 10,
  };
}

/** Keys by class: an outcome, an exception's reason, or `widened` for a living key that moves. */
type Classes = Record<string, number>;

interface CountedTwins {
  classes: Classes;
  dormant_keys: string;
  /** A timestamp as PostgreSQL writes it. */
  dormant_since: string;
  /** Arrays as PostgreSQL writes them, handed back as they came. */
  key_ids: string;
  widened_accounts: string;
  exceptions: ExceptionKey[];
}

/** One count for each class but `move`, which is what is left. */
type CountedOthers = Record<(typeof CLASSES_BY_THEMSELVES)[number] | 'keys' | 'dormant' | 'widened_accounts' | 'store_apis' | 'exceptions', string>;

function addClasses(twins: Classes, others: CountedOthers): Classes {
  const alone = Object.fromEntries(CLASSES_BY_THEMSELVES.map((name) => [name, Number(others[name])]));
  const move = Number(others.keys) - Object.values(alone).reduce((sum, keys) => sum + keys, 0);
  const sum = { ...twins };
  for (const [name, keys] of Object.entries({ ...alone, move })) sum[name] = (sum[name] ?? 0) + keys;
  return sum;
}

/** The question whether a key is held is only asked where anything is. */
async function countAllOthers(session: ReadSession, schema: MappedSchema, { holds, twins }: { holds: Holds; twins: CountedTwins }): Promise<CountedOthers> {
  const held = holds.keyIds.length + holds.accountIds.length > 0 ? planParameters(schema, holds, { first: 4 }) : null;
  return session.one<CountedOthers>(
    countOthers(schema.legacy, { holds: held?.source ?? null, idType: schema.types.id, accountType: schema.types.account }),
    [twins.key_ids, twins.widened_accounts, twins.dormant_since, ...(held?.values ?? [])],
  );
}

async function exceptionsOf(
  session: ReadSession,
  { legacy, types }: MappedSchema,
  { twins, others }: { twins: CountedTwins; others: CountedOthers },
): Promise<ExceptionKey[]> {
  if (others.exceptions === '{}') return twins.exceptions;
  return (await session.query<ExceptionKey>(listExceptions(legacy, types.id), [others.exceptions, JSON.stringify(twins.exceptions)])).rows;
}
