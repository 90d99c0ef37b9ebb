import { copiedColumns } from '../mapping/copy.js';
import { movesAlone, staysByItself } from '../mapping/rules/verdicts.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { judgements, KEPT_PLANS, looksOfSettle } from './settle-bodies.js';
import { LATE, noteLate } from './late.js';
import { byItself, mirrorOneFunctions, OUR_MIGRATION, sources, targets } from './single-row.js';

/** Up to this many ids and tokens a change is judged with kept plans. */
const FEW = 200;

/**
 * `keylift.settle(ids, tokens)`: makes account keys and outcomes what the rules say of the legacy rows with these
 * ids or tokens as they stand now. It looks at the state, not at the event, so running it twice changes nothing.
 * The races it decides are written down in docs/races.md.
 */
export function settleFunction(context: MappedSchema): string {
  const { types, searchPath } = context;
  return `
    CREATE TYPE keylift.verdict AS (
      key_id ${types.id}, outcome text, reason text, account_key_id ${types.id}, token ${types.token}, last_used_at ${types.lastUsedAt});

    CREATE FUNCTION keylift.await_batches(ids ${types.id}[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
      expected bigint;
      locked bigint;
    BEGIN
      -- A batch holds its range exclusively while it copies; whoever changes a key of an open range shares it.
      -- A range may be split or finished while we wait, so look again until what we see is what we hold.
      LOOP
        SELECT count(DISTINCT b.batch_no) INTO expected FROM unnest(ids) AS given (id),
          LATERAL (SELECT * FROM keylift.batches r WHERE r.open AND r.upto_id >= given.id ORDER BY r.upto_id LIMIT 1) b
        WHERE b.after_id IS NULL OR b.after_id < given.id;
        EXIT WHEN expected = 0;
        SELECT count(*) INTO locked FROM (
          SELECT FROM keylift.batches b WHERE b.open AND b.batch_no IN (
            SELECT r.batch_no FROM unnest(ids) AS given (id),
              LATERAL (SELECT * FROM keylift.batches r WHERE r.open AND r.upto_id >= given.id ORDER BY r.upto_id LIMIT 1) r
            WHERE r.after_id IS NULL OR r.after_id < given.id)
          FOR SHARE OF b) held;
        EXIT WHEN locked = expected;
      END LOOP;
    END $body$;

    CREATE FUNCTION keylift.settle(touched_ids ${types.id}[], touched_tokens ${types.token}[], by_trigger boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${searchPath} ${KEPT_PLANS} AS $body$
    #variable_conflict use_column
    <<own>>
    DECLARE
      id CONSTANT ${types.id}${types.neutral.id} := touched_ids[1];
      token CONSTANT ${types.token}${types.neutral.token} := touched_tokens[1];
      migration_state text;
      settled boolean := false;
      writer CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
      written text;
    BEGIN
      -- Whoever else calls wants it judged anew: by a hold, or an account, that no row tells of.
      IF by_trigger AND cardinality(touched_ids) = 1 AND cardinality(touched_tokens) = 1 THEN${nothingToDo(context)}
        settled := settled AND migration_state <> 'rolling_back';
      ELSE
        SELECT m.state INTO migration_state FROM ${OUR_MIGRATION};
      END IF;
      IF migration_state IS NULL THEN
        RAISE EXCEPTION 'this transaction read the database before keylift mirrored it; run it again'
          USING ERRCODE = 'serialization_failure';
      END IF;
      -- Not SET on the function: only a superuser may tie a parameter of ours to one. An error takes it back by itself.
      -- An assignment, which begins no statement as PERFORM does.
      written := set_config('keylift.writer', 'mirror', true);
      IF NOT settled OR to_regclass('${LATE}') IS NOT NULL THEN
        <<asked>>
        DECLARE -- copies, as parameters take the collation of their arguments
          ids CONSTANT ${types.id}[]${types.neutral.id} := touched_ids;
          tokens CONSTANT ${types.token}[]${types.neutral.token} := touched_tokens;
        BEGIN
          IF settled THEN NULL;
          ELSIF migration_state = 'rolling_back' THEN${takeOut(context)}
          ELSIF cardinality(asked.ids) + cardinality(asked.tokens) <= ${String(FEW)} THEN
            PERFORM keylift.settle_few(asked.ids, asked.tokens);
          ELSE
            PERFORM keylift.settle_many(asked.ids, asked.tokens);
          END IF;
          ${noteLate(context)}
        END;
      END IF;
      written := set_config('keylift.writer', writer, true);
    END $body$;
    ${judgements(context)}
    ${mirrorOneFunctions(context)}`;
}

/**
 * Of a single key, is there nothing to do? The key of a custom API or a row that is gone, without an account key and
 * without a word in the ledger; or an account key that agrees with its row, as when the change came from Settings.
 */
function nothingToDo({ legacy: l }: MappedSchema): string {
  const columns = copiedColumns(l);
  return `
        SELECT (SELECT m.state FROM ${OUR_MIGRATION}),
          NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id) AND ${byItself(l)} AND CASE
            WHEN t.id IS NULL THEN ${l.id()} IS NULL OR NOT ${l.isPerApiKey()} OR ${staysByItself(l)}
            ELSE ${l.isPerApiKey()} AND ${movesAlone(l, looksOfSettle(l))} AND record_image_eq(${targets(columns)}, ${sources(columns)}) END
          INTO own.migration_state, own.settled
          FROM (SELECT) one LEFT JOIN ${l.target} t ON t.id = own.id AND t.origin_api_id IS NOT NULL
            LEFT JOIN (${l.from}) ON ${l.id()} = own.id;`;
}

/** Account keys are being taken out by a rollback; a change must not bring one back. */
const takeOut = ({ legacy: l }: MappedSchema): string => `
        ${
          l.writable.lastUsedAt === null
            ? ''
            : `UPDATE ${l.keys} k SET ${l.writable.lastUsedAt} = t.last_used_at FROM ${l.target} t
          WHERE ${l.id()} = t.id AND t.origin_api_id IS NOT NULL AND t.id = ANY (asked.ids)
            AND t.last_used_at IS NOT NULL AND (${l.lastUsedAt()} IS NULL OR ${l.lastUsedAt()} < t.last_used_at);`
        }
        DELETE FROM ${l.target} t WHERE t.origin_api_id IS NOT NULL AND t.id = ANY (asked.ids);
        -- A row that left its group must not follow the account key of those it left.
        DELETE FROM keylift.outcomes x USING ${l.keys} k WHERE x.key_id = ANY (asked.ids) AND x.outcome = 'merge' AND ${l.id()} = x.key_id
          AND NOT EXISTS (SELECT FROM ${l.from} JOIN ${l.target} t ON t.token = ${l.token()} AND t.account_id = ${l.account()}
            WHERE ${l.id()} = x.key_id AND t.id = x.account_key_id AND ${l.inStore()});`;
