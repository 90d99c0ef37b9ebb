import { inOneSession, type InSameSnapshot } from '../database/same-snapshot.js';
import type { ReadSession } from '../database/session.js';
import { allDone } from '../database/together.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Holds } from '../ledger/holds.js';
import type { Installed } from '../ledger/installed.js';
import { countStoreApis, mostApis } from '../mapping/store.js';
import { addClasses } from './classes.js';
import { countDuplicates, type Duplicates } from './duplicates.js';
import { MAX_EXCEPTIONS_LISTED, mergeExceptions, REASONS, type ExceptionKey } from './exceptions.js';
import { secondsExpected, type PlannedPace } from './expected-time.js';
import { holdsToBind } from './holds.js';
import { nativeKeysTable } from './native-keys.js';
import { countSingleRows, type SingleRows } from './single-rows.js';

export type Outcome = 'move' | 'stay' | 'merge' | 'hold' | 'exception';

/** What `plan --json` prints. Counts are of per-API keys. */
export interface Plan {
  outcomes: Record<Outcome, number>;
  /** The first by key id, as many as `listed` allows; `exceptions_by_reason` counts all. */
  exceptions: ExceptionKey[];
  exceptions_by_reason: Record<string, number>;
  widening: {
    accounts: number;
    keys: number;
    store_apis: number;
    /** Where each account has store APIs of its own: the most that one account has. */
    most_apis?: number;
    dormant_keys: number;
  };
  total: number;
  batches: number;
  seconds_expected: number;
}

export interface PlanOptions {
  holds: Holds;
  installed: Installed;
  /** For the number of batches and the expected time. */
  pace: PlannedPace;
  /** Exceptions to list at most, by key id; 10,000 by default. */
  listed?: number;
  /** A second session in the same snapshot, where there is one: half of the work is done in it. */
  inSameSnapshot?: InSameSnapshot;
}

/**
 * Decides, in SQL and without writing, the outcome of every per-API key by the rules of the move. Two statements count:
 * one all keys as if each token were there once, one the rows of repeated tokens. The sum is the first, without the rows
 * of the second as the first counts them, and with them as the second does.
 *
 * Run it in a READ ONLY, REPEATABLE READ transaction, so that its statements see one state.
 */
export async function planMove(session: ReadSession, schema: MappedSchema, options: PlanOptions): Promise<Plan> {
  const { pace, listed = MAX_EXCEPTIONS_LISTED } = options;
  const { singleRows, duplicates } = await countAll(session, schema, { ...options, listed });
  const classes = addClasses(addClasses(singleRows.classes, duplicates.single_classes, -1), duplicates.classes);
  const count = (name: string): number => classes[name]?.keys ?? 0;
  const exceptionsByReason = Object.fromEntries(REASONS.filter((r) => count(r) > 0).map((r) => [r, count(r)]));
  const total = sumOf(Object.keys(classes).map(count));
  return {
    outcomes: {
      move: count('move') + count('widened'),
      stay: count('stay'),
      merge: count('merge'),
      hold: count('hold'),
      exception: sumOf(Object.values(exceptionsByReason)),
    },
    exceptions: await exceptionsOf(session, schema, { singleRows, duplicates, listed }),
    exceptions_by_reason: exceptionsByReason,
    widening: {
      accounts: Number(duplicates.accounts),
      keys: count('widened'),
      ...(await countOpened(session, schema)),
      dormant_keys: classes['widened']?.dormant ?? 0,
    },
    total,
    batches: Math.ceil(total / pace.batchSize),
    seconds_expected: secondsExpected(total, pace),
  };
}

async function countAll(
  session: ReadSession,
  schema: MappedSchema,
  { holds, installed, listed, inSameSnapshot = inOneSession(session) }: PlanOptions & { listed: number },
): Promise<{ singleRows: SingleRows; duplicates: Duplicates }> {
  const { legacy: l, types } = schema;
  const { source, values } = holdsToBind(schema, holds);
  const nativeKeysIn = nativeKeysTable(schema, installed);
  const count = async <T>(counting: ReadSession, statement: string): Promise<T> => {
    await counting.query(`SET LOCAL work_mem = '64MB'`);
    return counting.one<T>(statement, values);
  };
  const options = { holds: source, tokensSorted: types.tokensSorted, nativeKeysIn, listed };
  const duplicates = count<Duplicates>(session, countDuplicates(l, options));
  const singleRows = inSameSnapshot(
    (other) => count<SingleRows>(other, countSingleRows(l, { holds: source, listed })),
    duplicates,
  );
  const [forDuplicates, forSingleRows] = await allDone([duplicates, singleRows]);
  return { duplicates: forDuplicates, singleRows: forSingleRows };
}

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, keys) => sum + keys, 0);

/** The store APIs, and where each account has store APIs of its own, how many one account has at most. */
async function countOpened(
  session: ReadSession,
  { legacy: l }: MappedSchema,
): Promise<Pick<Plan['widening'], 'store_apis' | 'most_apis'>> {
  const { apis } = await session.one<{ apis: string }>(countStoreApis(l));
  if (!l.apiNeedsAccount) return { store_apis: Number(apis) };
  const { most } = await session.one<{ most: string }>(mostApis(l));
  return { store_apis: Number(apis), most_apis: Number(most) };
}

async function exceptionsOf(
  session: ReadSession,
  { types }: MappedSchema,
  { singleRows, duplicates, listed }: { singleRows: SingleRows; duplicates: Duplicates; listed: number },
): Promise<ExceptionKey[]> {
  const lists = [singleRows.exceptions, duplicates.exceptions];
  if (lists.some((list) => list.length === 0)) return lists.flat();
  const { exceptions } = await session.one<{ exceptions: ExceptionKey[] }>(
    mergeExceptions({ idType: types.id, listed }),
    lists.map((list) => JSON.stringify(list)),
  );
  return exceptions;
}
