import { isDatabaseError, sqlStateOf } from '../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { PageTriggers } from './platform-triggers.js';

type Done = 'archived' | 'restored';

/** Runs a page's statement; an error that a trigger of the platform raised becomes a refusal of the page. */
export async function throughTriggers<T>(done: Done, triggers: PageTriggers, statement: () => Promise<T>): Promise<T> {
  try {
    return await triggers.around(statement);
  } catch (error) {
    if (triggers.fired.length === 0 || !isRaisedByTrigger(error)) throw error;
    throw refusedByTriggers(done, triggers, { sqlstate: sqlStateOf(error) }, error);
  }
}

/** Collisions, timeouts and the state of the server are no trigger's doing. */
const NOT_OF_TRIGGERS = /^(08|40|53|55P03|57|58|XX)/;

/** keylift's own statement has no other cause of an error. */
const isRaisedByTrigger = (error: unknown): boolean =>
  isDatabaseError(error) && !NOT_OF_TRIGGERS.test(sqlStateOf(error) ?? '');

/** Not every row of the page came out as it was meant to. The page is rolled back. */
export const refusedByTriggers = (
  done: Done,
  { fired }: PageTriggers,
  facts: Record<string, unknown>,
  cause?: unknown,
): KeyliftError =>
  keyliftError('triggers_change_rows', {
    message:
      fired.length === 0
        ? `not every row of a page was ${done} as it was; the page was rolled back`
        : `triggers of the platform kept or changed rows that keylift ${done}; the page was rolled back`,
    facts: { ...(fired.length === 0 ? {} : { triggers: fired }), ...facts },
    ...(cause === undefined ? {} : { cause }),
  });
