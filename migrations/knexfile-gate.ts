import type { Knex } from 'knex';
import { parseTableName, quoteTable } from '../src/config/identifiers.js';
import type { Settings } from '../src/config/settings.js';

/** Why a step may not be taken back, and what to do instead. */
export interface GateRefusal {
  message: string;
  hint: string;
}

/** How long we queue for the lock on the account keys, and everybody behind us. */
const LOCK_TIMEOUT = '5s';

const NAMED = 10;

/**
 * May keylift's tables, functions and bookkeeping go? Only after `keylift rollback`, and only while no key is born in
 * Settings. In a transaction the account keys are locked first, so that none is made between the question and the end.
 */
export async function mayTakeAway(
  knex: Knex,
  { settings, transaction }: { settings: Settings; transaction: boolean },
): Promise<GateRefusal | null> {
  const target = quoteTable(parseTableName(settings.target.table));
  if (transaction) await knex.raw(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; SET LOCAL statement_timeout = 0`);
  const { migration, account_keys: accountKeys } = await one<{ migration: boolean; account_keys: boolean }>(
    knex,
    `SELECT to_regclass('keylift.migration') IS NOT NULL AS migration, to_regclass(?) IS NOT NULL AS account_keys`,
    [target],
  );
  const refusal = migration ? await refusedByLedger(knex, settings) : null;
  if (refusal !== null || !accountKeys) return refusal;
  if (transaction) await knex.raw(`LOCK TABLE ${target} IN SHARE ROW EXCLUSIVE MODE`);
  return refusedByAccountKeys(knex, target);
}

async function refusedByLedger(knex: Knex, settings: Settings): Promise<GateRefusal | null> {
  const {
    rows: [state],
  } = await knex.raw<Rows<{ state: string; stage: string | null; same: boolean; owned: boolean }>>(
    `SELECT m.state, m.stage, m.settings = ?::jsonb AS same, c.owner IS NOT NULL AND c.owned_until > clock_timestamp() AS owned
     FROM keylift.migration m CROSS JOIN keylift.control c`,
    [JSON.stringify(settings)],
  );
  if (state === undefined) return null;
  if (state.owned)
    return {
      message: 'a keylift is at work here; nothing was changed',
      hint: 'Watch it with keylift status, and wait for its end.',
    };
  if (state.state === 'purged') {
    return {
      message:
        'this migration is finalized and purged: the account keys are the only ones there are; nothing was changed',
      hint: 'There is no way back from here.',
    };
  }
  if (state.state !== 'rolled_back') {
    return {
      message: `a migration stands (${state.state}, ${state.stage === null ? 'no stage completed' : `last stage completed: ${state.stage}`}); nothing was changed`,
      hint: 'Run keylift rollback first: it brings every account back to its per-API keys.',
    };
  }
  if (!state.same) {
    return {
      message: 'the configuration is not the one this migration was made with; nothing was changed',
      hint: 'Name that configuration with KEYLIFT_CONFIG.',
    };
  }
  return null;
}

async function refusedByAccountKeys(knex: Knex, target: string): Promise<GateRefusal | null> {
  const { born, moved, first } = await one<{ born: string; moved: string; first: string[] | null }>(
    knex,
    `SELECT count(*) FILTER (WHERE origin_api_id IS NULL) AS born, count(*) FILTER (WHERE origin_api_id IS NOT NULL) AS moved,
       (SELECT array_agg(b.id::text) FROM (SELECT id FROM ${target} WHERE origin_api_id IS NULL ORDER BY id LIMIT ${String(NAMED)}) b) AS first
     FROM ${target}`,
    [],
  );
  if (moved !== '0') {
    return {
      message: `${moved} moved keys are still in ${target}; nothing was changed`,
      hint: 'Run keylift rollback first: it brings every account back to its per-API keys.',
    };
  }
  if (born === '0') return null;
  const names = (first ?? []).join(', ');
  return {
    message: `${born} ${born === '1' ? 'key was' : 'keys were'} born in Settings and ${born === '1' ? 'has' : 'have'} no other home than ${target}: ${names}${Number(born) > NAMED ? ', …' : ''}; nothing was changed`,
    hint: 'Delete them there once their owners have others; then run this again.',
  };
}

interface Rows<Row> {
  rows: Row[];
}

async function one<Row>(knex: Knex, sql: string, values: readonly string[]): Promise<Row> {
  const { rows } = await knex.raw<Rows<Row>>(sql, [...values]);
  return rows[0]!;
}
