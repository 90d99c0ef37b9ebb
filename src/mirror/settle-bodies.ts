import { copiedColumns } from '../mapping/copy.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { verdictAlone, verdicts, type VerdictOptions } from '../mapping/rules/verdicts.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** Plans kept for the single change: by index, as the tables may have been small when they were made. */
export const KEPT_PLANS = 'SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan';

/** Where the mirror's judgement looks beyond the rows themselves. */
export const looksOfSettle = (l: LegacyFragments): Omit<VerdictOptions, 'rows'> => ({
  holds: { from: 'ledger' },
  takenElsewhere: `EXISTS (SELECT FROM ${l.target} b WHERE b.token = ${l.token()} AND b.origin_api_id IS NULL)`,
  outlivesItsApi: `${l.apiId()} IS NULL AND EXISTS (SELECT FROM ${l.target} b WHERE b.id = ${l.id()} AND b.origin_api_id = ${l.api()})`,
});

/**
 * The judgement itself, twice: with plans kept for the single change (asked to, since an estimate for one known id
 * always looks better, and planning then costs ten times the work), and with plans made for the numbers at hand for a
 * statement over many rows.
 */
export function judgements(context: MappedSchema): string {
  return `
    ${judgement(context, { name: 'settle_few', settings: KEPT_PLANS, isOther: (id) => `${id} <> ALL (settle_few.touched_ids)` })}
    ${judgement(context, {
      name: 'settle_many',
      settings:
        'SET enable_seqscan = on SET jit = off SET plan_cache_mode = force_custom_plan SET random_page_cost = 1.1',
      isOther: (id) => `NOT EXISTS (SELECT FROM unnest(settle_many.touched_ids) AS own (id) WHERE own.id = ${id})`,
    })}`;
}

function judgement(
  { legacy: l, types, searchPath }: MappedSchema,
  options: { name: string; settings: string; isOther: (id: string) => string },
): string {
  const columns = copiedColumns(l);
  const rows = `${l.id()} IN (
              SELECT unnest(${options.name}.touched_ids)
              UNION SELECT ${l.id()} FROM unnest(${options.name}.touched_tokens) AS given (token) JOIN ${l.keys} k ON ${l.token()} = given.token)`;
  const looks = looksOfSettle(l);
  const judge = (verdict: string, joined: string): string => `
          SELECT array_agg(ROW(key_id, outcome, reason, account_key_id, token, last_used_at)::keylift.verdict),
            coalesce(bool_or(outcome <> 'move'), false), count(*) FILTER (WHERE outcome = 'move'), ${joined} INTO verdicts, set_aside, moving, joined
          FROM (${verdict}) judged WHERE outcome <> 'stay';`;
  const another = `EXISTS (SELECT FROM unnest(${options.name}.touched_tokens) AS given (token) JOIN ${l.keys} k ON ${l.token()} = given.token WHERE ${l.id()} <> judging.concerned[1])`;
  const moves = `unnest(judging.verdicts) v JOIN ${l.keys} k ON ${l.id()} = v.key_id
        LEFT JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()} LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}`;
  const update = `UPDATE ${l.target} t SET ${columns.map((c) => `${c.target} = ${c.source}`).join(', ')},
            last_used_at = greatest(t.last_used_at, v.last_used_at)
          FROM ${moves}
          WHERE v.outcome = 'move' AND t.id = v.key_id AND t.origin_api_id IS NOT NULL
            AND record_image_ne(ROW(${columns.map((c) => `t.${c.target}`).join(', ')}), ROW(${columns.map((c) => c.source).join(', ')}))`;
  const insert = (
    lastUsedAt: string,
    joins: string,
  ): string => `INSERT INTO ${l.target} (id, ${columns.map((c) => c.target).join(', ')}, last_used_at)
            SELECT v.key_id, ${columns.map((c) => c.source).join(', ')}, ${lastUsedAt} FROM ${moves} ${joins}
            WHERE v.outcome = 'move' AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = v.key_id)
            ON CONFLICT DO NOTHING`;
  const lastUseOfThoseThatLeft = `
              LEFT JOIN (SELECT g.key_id, max(g.last_used_at) AS last_used_at FROM unnest(judging.left_for_now) g GROUP BY 1) g ON g.key_id = v.key_id
              -- Of a key that is gone, or has another id now, the last use is its token's.
              LEFT JOIN (SELECT h.token, max(h.last_used_at) AS last_used_at FROM unnest(judging.left_for_now) h
                WHERE NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = h.key_id) GROUP BY 1) h ON h.token = v.token`;
  const leaves = `t.origin_api_id IS NOT NULL
            AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM unnest(judging.verdicts) v WHERE v.outcome = 'move')
            AND (t.id NOT IN (SELECT v.key_id FROM unnest(judging.verdicts) v WHERE v.outcome = 'move')
              OR t.token IN (SELECT v.token FROM unnest(judging.verdicts) v WHERE v.outcome = 'move'))`;
  return `
    CREATE FUNCTION keylift.${options.name}(touched_ids ${types.id}[], touched_tokens ${types.token}[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${searchPath} ${options.settings} AS $body$
    #variable_conflict use_column
    <<judging>>
    DECLARE
      verdicts keylift.verdict[];
      left_for_now keylift.verdict[] := '{}';
      concerned ${types.id}[];
      leaving ${types.id}[];
      joined boolean;
      set_aside boolean; -- does any verdict say anything but a move?
      moving bigint;
      moved bigint; -- of those that move: how many have their account key
      retokened boolean; -- has any of those that have one another token?
    BEGIN
      FOR attempt IN 1..10 LOOP
        -- Whoever changes another row of the same token, or adds one, comes before us or after us, never beside us.
        PERFORM FROM unnest(${options.name}.touched_tokens) AS given (token) JOIN ${l.keys} k ON ${l.token()} = given.token
          WHERE ${options.isOther(l.id())}
          ORDER BY ${l.id()} FOR NO KEY UPDATE OF k;
        IF NOT FOUND AND cardinality(touched_ids) = 1 THEN concerned := touched_ids;
        ELSE
          SELECT array_agg(DISTINCT id) INTO concerned FROM (
            SELECT unnest(${options.name}.touched_ids) AS id
            UNION ALL SELECT ${l.id()} FROM unnest(${options.name}.touched_tokens) AS given (token) JOIN ${l.keys} k ON ${l.token()} = given.token) c;
        END IF;
        IF EXISTS (SELECT FROM keylift.batches WHERE open) THEN
          PERFORM keylift.await_batches(concerned);
        END IF;

        -- What has nothing to do is not begun: to begin a statement is most of what the mirror costs a single write.
        IF cardinality(concerned) = 1 THEN${judge(verdictAlone(l, { ...looks, rows: `${l.id()} = judging.concerned[1]` }), another)}
          CONTINUE WHEN joined; -- a row of the token was committed since we looked who is concerned
        ELSE${judge(verdicts(l, { ...looks, rows }), 'false')}
        END IF;

        -- What is no move leaves. So does, for an instant, a key whose token another one takes over in this statement.
        -- Asked key by key first: most often there is nothing, and a DELETE over many ids may read the whole table for it.
        IF moving = 1 AND cardinality(concerned) = 1 THEN leaving := NULL;
        ELSE
          SELECT array_agg(t.id) INTO leaving FROM unnest(judging.concerned) AS c (id),
            LATERAL (SELECT * FROM ${l.target} t WHERE t.id = c.id LIMIT 1) t WHERE ${leaves};
        END IF;
        IF leaving IS NOT NULL THEN
          WITH gone AS (DELETE FROM ${l.target} t WHERE t.id = ANY (judging.leaving) AND ${leaves} RETURNING t.id, t.token, t.last_used_at)
          SELECT judging.left_for_now || coalesce(array_agg(ROW(id, NULL, NULL, NULL, token, last_used_at)::keylift.verdict), '{}') INTO left_for_now
          FROM gone WHERE last_used_at IS NOT NULL;
        END IF;
        -- What was used in Settings and not caught up yet must not go with the account key.
        ${
          l.writable.lastUsedAt === null
            ? ''
            : `IF cardinality(left_for_now) > 0 THEN
          UPDATE ${l.keys} k SET ${l.writable.lastUsedAt} = g.last_used_at FROM unnest(judging.left_for_now) g
            WHERE ${l.id()} = g.key_id AND (${l.lastUsedAt()} IS NULL OR ${l.lastUsedAt()} < g.last_used_at);
        END IF;`
        }
        -- An overlap is noted of a key with an outcome, and goes before it or with it.
        IF EXISTS (SELECT FROM unnest(judging.concerned) AS c (id) JOIN keylift.outcomes x ON x.key_id = c.id) THEN
          WITH apart AS (
            DELETE FROM keylift.overlaps p USING unnest(judging.concerned) AS c (id)
            WHERE p.key_id = c.id AND p.key_id NOT IN (SELECT v.key_id FROM unnest(judging.verdicts) v WHERE v.outcome IN ('exception', 'hold')))
          DELETE FROM keylift.outcomes x USING unnest(judging.concerned) AS c (id)
            WHERE x.key_id = c.id AND x.key_id NOT IN (SELECT v.key_id FROM unnest(judging.verdicts) v WHERE v.outcome <> 'move');
        END IF;
        IF verdicts IS NULL THEN RETURN; END IF;

        IF set_aside THEN
          INSERT INTO keylift.outcomes AS x (key_id, outcome, reason, account_key_id, source, opened_api_id, opened_since)
            SELECT v.key_id, v.outcome, v.reason, CASE WHEN v.outcome = 'merge' THEN v.account_key_id END,
              CASE WHEN v.outcome = 'merge' THEN to_jsonb(k) END, CASE WHEN v.outcome = 'merge' THEN ${l.api()} END, CASE WHEN v.outcome = 'merge' THEN ${l.createdAt()} END
            FROM unnest(judging.verdicts) v JOIN ${l.keys} k ON ${l.id()} = v.key_id WHERE v.outcome <> 'move'
            ON CONFLICT (key_id) DO UPDATE SET outcome = excluded.outcome, reason = excluded.reason,
              account_key_id = excluded.account_key_id, source = excluded.source, opened_api_id = excluded.opened_api_id,
              opened_since = excluded.opened_since, settled_at = clock_timestamp()
            WHERE record_image_ne(ROW(x.outcome, x.reason, x.account_key_id, x.source),
              ROW(excluded.outcome, excluded.reason, excluded.account_key_id, excluded.source));
        END IF;

        SELECT count(*), coalesce(bool_or(t.token <> v.token), false) INTO moved, retokened
          FROM unnest(judging.verdicts) v JOIN ${l.target} t ON t.id = v.key_id AND t.origin_api_id IS NOT NULL WHERE v.outcome = 'move';
        IF retokened THEN
          BEGIN
            ${update};
          EXCEPTION WHEN unique_violation THEN
            -- Another session just wrote a row with this token; with a fresh snapshot the rules see it.
            IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
              RAISE EXCEPTION 'could not serialize access due to a token written meanwhile' USING ERRCODE = 'serialization_failure';
            END IF;
            CONTINUE;
          END;
        ELSIF moved > 0 THEN
          ${update};
        END IF;
        IF moved < moving THEN
          IF cardinality(left_for_now) = 0 THEN ${insert('v.last_used_at', '')};
          ELSE ${insert('greatest(v.last_used_at, g.last_used_at, h.last_used_at)', lastUseOfThoseThatLeft)};
          END IF;
        END IF;

        -- A row another session just wrote can have kept ours out; with a fresh snapshot the rules see it.
        -- So can an account key have gone with its account, which our row has left.
        IF NOT EXISTS (SELECT FROM unnest(judging.verdicts) v WHERE v.outcome = 'move'
            AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = v.key_id AND t.origin_api_id IS NOT NULL)) THEN
          -- A token that both tables answer for costs authorize a second look. A row a key: no writer waits for another.
          IF set_aside AND EXISTS (SELECT FROM unnest(judging.verdicts) v WHERE v.outcome IN ('exception', 'hold')) THEN
            IF EXISTS (SELECT FROM unnest(judging.verdicts) v JOIN keylift.overlaps p ON p.key_id = v.key_id) THEN
              DELETE FROM keylift.overlaps p USING unnest(judging.verdicts) v
                WHERE p.key_id = v.key_id AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.token = v.token);
            END IF;
            INSERT INTO keylift.overlaps (key_id)
              SELECT v.key_id FROM unnest(judging.verdicts) v WHERE v.outcome IN ('exception', 'hold')
                AND (v.token IN (SELECT m.token FROM unnest(judging.verdicts) m WHERE m.outcome = 'move')
                  OR EXISTS (SELECT FROM ${l.target} b WHERE b.token = v.token AND b.origin_api_id IS NULL))
              ON CONFLICT DO NOTHING;
          END IF;
          RETURN;
        END IF;
      END LOOP;
      RAISE EXCEPTION 'keylift cannot give an account key to a per-API key: its id or its token belongs to a key made in Settings'
        USING ERRCODE = 'unique_violation';
    END $body$;`;
}
