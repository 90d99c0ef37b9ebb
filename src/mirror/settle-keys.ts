import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { verdictAlone, verdicts } from '../mapping/rules/verdicts.js';
import { deleteAccountKeys, deleteOutcomes, returnIfComplete, writeOutcomes } from './apply-verdicts.js';
import { KEPT_PLANS, mirrorVerdicts, outlivesBoth, rowsOfTokens } from './fragments.js';
import { writeAccountKeys } from './write-account-keys.js';

/** Plans for the numbers at hand, for a statement over many rows. */
const PLANS_BY_SIZE = [
  'enable_seqscan = on',
  'jit = off',
  'plan_cache_mode = force_custom_plan',
  'random_page_cost = 1.1',
];

/**
 * `keylift.settle_few` and `keylift.settle_many`: the same statements, planned differently. For a single change the plans
 * are kept: an estimate for one known id always looks better, and planning then costs ten times the work. For a statement
 * over many rows each plan is made for the numbers at hand.
 */
export const settleKeysFunctions = (schema: MappedSchema): InstalledFunction[] => [
  settleKeys(schema, {
    name: 'settle_few',
    settings: KEPT_PLANS,
    comment: 'Settles up to 200 ids and tokens, with plans that are kept between calls.',
    isOther: (id) => `${id} <> ALL (settle_few.touched_ids)`,
  }),
  settleKeys(schema, {
    name: 'settle_many',
    settings: PLANS_BY_SIZE,
    comment: 'Settles any number of ids and tokens, with plans made for their number.',
    isOther: (id) => `NOT EXISTS (SELECT FROM unnest(settle_many.touched_ids) AS own (id) WHERE own.id = ${id})`,
  }),
];

interface Variant {
  name: string;
  settings: readonly string[];
  comment: string;
  /** Is the row with this id none of the caller's? */
  isOther: (id: string) => string;
}

function settleKeys(schema: MappedSchema, variant: Variant): InstalledFunction {
  const { types, searchPath } = schema;
  return installedFunction({
    name: variant.name,
    parameters: [
      { name: 'touched_ids', type: `${types.id}[]` },
      { name: 'touched_tokens', type: `${types.token}[]` },
      { name: 'locks', type: 'boolean' },
      { name: 'crowded_tokens', type: `${types.token}[]`, default: `'{}'` },
    ],
    returns: 'void',
    searchPath,
    settings: variant.settings,
    comment: sql`
      ${variant.comment}
      It locks the rows that share a token with the caller's, applies the rules to all of them, and then makes account
      keys, outcomes and overlaps what the verdicts say. If another session got in between, it looks again.
      Of a crowded token it decides the caller's rows alone.`,
    body: sql`
      <<own>>
      DECLARE
        verdicts keylift.verdict[];
        deleted keylift.verdict[] := '{}'; -- last use of account keys that were deleted here
        concerned ${types.id}[];
        leaving ${types.id}[];
        joined boolean;
        some_do_not_move boolean; -- does any verdict say something else than move?
        moving bigint;
        moved bigint; -- how many of the moving keys have their account key
        path text;
        changes text[]; -- assignments of the columns in which an account key differs
        retokened boolean; -- does any of these have another token?
      BEGIN
        FOR attempt IN 1..10 LOOP
          ${lockDuplicates(schema, variant)}
          ${readVerdicts(schema, variant)}

          ${deleteAccountKeys(schema)}
          ${deleteOutcomes()}
          IF verdicts IS NULL THEN RETURN; END IF;

          ${writeOutcomes(schema)}

          ${writeAccountKeys(schema)}

          ${returnIfComplete(schema)}
        END LOOP;
        RAISE EXCEPTION
          'keylift cannot give an account key to a per-API key: its id or its token belongs to a key made in Settings'
          USING ERRCODE = 'unique_violation';
      END`,
  });
}

/** Locks the other rows of the tokens and finds the ids of all rows to settle. */
const lockDuplicates = ({ legacy: l }: MappedSchema, { name, isOther }: Variant): string => sql`
  -- A session that changes another row of the same token, or adds one, comes before this one or after it. Until the
  -- mirror is on no lock is taken: such a session brings an entry of the change log.
  IF locks THEN
    PERFORM
    FROM
      ${rowsOfTokens(l, `${name}.touched_tokens`)}
    WHERE ${isOther(l.id())}
    ORDER BY ${l.id()}
    FOR NO KEY UPDATE OF k;
  END IF;
  IF locks AND NOT FOUND AND cardinality(touched_ids) = 1 AND attempt = 1 THEN
    concerned := touched_ids;
  ELSE
    SELECT array_agg(DISTINCT id)
    INTO concerned
    FROM (
      SELECT unnest(${name}.touched_ids) AS id
      UNION ALL
      SELECT ${l.id()}
      FROM
        ${rowsOfTokens(l, `${name}.touched_tokens`)}
      UNION ALL
      -- An account key that outlived its row and its API gives its token to a row of the same account. One whose row
      -- is in the archive has its API, and is none of this.
      SELECT t.id
      FROM ${l.target} t
      WHERE t.token = ANY (${name}.touched_tokens)
        AND ${outlivesBoth(l)}
    ) c;
  END IF;`;

/** Applies the rules: to a single row without comparing it, since most changes are of one key. */
function readVerdicts({ legacy: l }: MappedSchema, { name }: Variant): string {
  const tokens = `${name}.touched_tokens`;
  const concerned = sql`
    ${l.id()} IN (
      SELECT unnest(${name}.touched_ids)
      UNION
      SELECT ${l.id()}
      FROM
        ${rowsOfTokens(l, tokens)}
    )`;
  const options = mirrorVerdicts(l, `${name}.crowded_tokens`);
  return sql`
    -- Statements that have nothing to do are not begun: beginning one is most of what a mirrored write costs.
    IF cardinality(concerned) = 1 THEN
      ${collect(verdictAlone(l, { ...options, rows: `${l.id()} = own.concerned[1]` }), {
        joined: sql`
          EXISTS (
            SELECT
            FROM
              ${rowsOfTokens(l, tokens)}
            WHERE ${l.id()} <> own.concerned[1]
          )`,
      })}
      CONTINUE WHEN joined; -- a row of the token was committed after the ids were read
    ELSE
      ${collect(verdicts(l, { ...options, rows: concerned }), { joined: 'false' })}
    END IF;`;
}

const collect = (verdict: string, { joined }: { joined: string }): string => sql`
  SELECT
    array_agg(ROW(key_id, outcome, reason, account_key_id, token, last_used_at)::keylift.verdict),
    coalesce(bool_or(outcome <> 'move'), false),
    count(*) FILTER (WHERE outcome = 'move'),
    ${joined}
  INTO verdicts, some_do_not_move, moving, joined
  FROM (
    ${verdict}
  ) verdict
  WHERE outcome <> 'stay';`;
