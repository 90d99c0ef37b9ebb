import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../legacy/inspect.js';
import type { HoldsSource } from '../legacy/rules.js';
import type { Holds } from './holds.js';
import { countOutcomes, listExceptions, REASONS } from './statements.js';

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

export const MAX_EXCEPTIONS_LISTED = 10_000;

/** Moved rows a second on two cores of a small server, for a first guess; a rehearsal measures it. */
const ROWS_PER_SECOND = 60_000;

export interface PlanOptions {
  holds: Holds;
  /** Rows a batch, for the number of batches. */
  batchSize: number;
}

/** Bound parameters of the plan's statements: the held key ids and account ids. */
export function planParameters({ types }: MappedSchema, holds: Holds): { source: HoldsSource; values: unknown[] } {
  return {
    source: { from: 'parameters', keyIds: `$1::text[]::${types.id}[]`, accountIds: `$2::text[]::${types.account}[]` },
    values: [holds.keyIds, holds.accountIds],
  };
}

/**
 * Decides, in SQL and without writing, the outcome of every per-API key by the rules of the move.
 * Run it in a READ ONLY, REPEATABLE READ transaction, so that its statements see one state.
 */
export async function planMove(session: ReadSession, schema: MappedSchema, options: PlanOptions): Promise<Plan> {
  const { source, values } = planParameters(schema, options.holds);
  // A hash of all accounts is what this wants; the server's own work_mem comes back with the transaction's end.
  await session.query(`SET LOCAL work_mem = '64MB'`);
  const row = await session.one<Counted>(countOutcomes(schema.legacy, { holds: source, tokenIndexed: schema.types.tokenIndexed }), values);
  const count = (name: string): number => row.classes[name] ?? 0;
  const exceptionsByReason = Object.fromEntries(REASONS.filter((r) => count(r) > 0).map((r) => [r, count(r)]));
  const total = Object.values(row.classes).reduce((sum, keys) => sum + keys, 0);
  return {
    outcomes: {
      move: count('move') + count('widened'),
      stay: count('stay'),
      merge: count('merge'),
      hold: count('hold'),
      exception: Object.values(exceptionsByReason).reduce((sum, keys) => sum + keys, 0),
    },
    exceptions: await exceptionsOf(session, schema, row),
    exceptions_by_reason: exceptionsByReason,
    widening: {
      accounts: Number(row.widened_accounts),
      keys: count('widened'),
      store_apis: Number(row.store_apis),
      dormant_keys: Number(row.dormant_keys),
    },
    total,
    batches: Math.ceil(total / options.batchSize),
    seconds_expected: Math.round((total / ROWS_PER_SECOND) * 10) / 10,
  };
}

interface Counted {
  /** Keys by class: an outcome, an exception's reason, or `widened` for a living key that moves. */
  classes: Record<string, number>;
  widened_accounts: string;
  dormant_keys: string;
  store_apis: string;
  /** Exceptions among keys that share their token. */
  twins: ExceptionKey[];
}

/** Keys that are exceptions by themselves cost another scan, so only where there are any. */
async function exceptionsOf(session: ReadSession, { legacy, types }: MappedSchema, { classes, twins }: Counted): Promise<ExceptionKey[]> {
  if (!REASONS.some((reason) => reason.startsWith('missing_') && (classes[reason] ?? 0) > 0)) return twins;
  return (await session.query<ExceptionKey>(listExceptions(legacy, types.id), [JSON.stringify(twins)])).rows;
}
