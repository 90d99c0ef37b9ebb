-- Made by npm run docs for the default configuration; not to be edited.
-- Stage switch. Switches accounts, or switches them back. Before it, last use is synchronised as in verify.

-- lock the switch rule
SELECT FROM keylift.switch_rule FOR UPDATE;

-- switch all accounts, or a cohort
-- Its other forms: the way back takes the cohort out.
/* switching a cohort */
UPDATE keylift.switch_rule SET cohorts = cohorts + int4multirange(int4range(0, $1));

-- accounts named before follow the cohort that contains them
DELETE FROM keylift.switched_accounts
WHERE (
        ('x' || encode(
          substring(sha256(convert_to((account_id)::text, 'UTF8')) FROM 1 FOR 4),
          'hex'
        ))::bit(32)::bigint % 1000000
      )::integer < $1;

-- switch the accounts of a list
/* switching accounts of a list */
INSERT INTO keylift.switched_accounts AS s (account_id, switched)
SELECT DISTINCT id::bigint, $2::boolean
FROM unnest($1::text[]) AS given (id)
ON CONFLICT (account_id) DO UPDATE SET switched = excluded.switched
WHERE s.switched <> excluded.switched;

-- none, some or all
UPDATE keylift.switch_rule
SET mode = CASE
  WHEN isempty(cohorts) AND NOT EXISTS (SELECT FROM keylift.switched_accounts WHERE switched) THEN 'none'
  WHEN cohorts = int4multirange(int4range(0, 1000000))
    AND NOT EXISTS (SELECT FROM keylift.switched_accounts WHERE NOT switched) THEN 'all'
  ELSE 'some'
END
RETURNING mode;

-- note tokens that both tables answer for
INSERT INTO keylift.overlaps (key_id)
SELECT x.key_id
FROM keylift.outcomes x
  JOIN "public"."api_keys" k ON k."id" = x.key_id
  JOIN "public"."account_api_keys" t ON t.token = k."token"
WHERE x.outcome IN ('exception', 'hold')
ON CONFLICT DO NOTHING;

-- count the switched accounts
SELECT
  count(*) FILTER (WHERE coalesce(
                           (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = o."id"),
                           (SELECT cohorts FROM keylift.switch_rule)
                             @> (
                                  ('x' || encode(
                                    substring(sha256(convert_to((o."id")::text, 'UTF8')) FROM 1 FOR 4),
                                    'hex'
                                  ))::bit(32)::bigint % 1000000
                                )::integer
                         )) AS switched,
  count(*) AS total
FROM "public"."accounts" o;

-- totals that migrate prints
-- Its other forms: the new table is left out where there is none.
SELECT
  (SELECT count(*) FROM "public"."account_api_keys" WHERE origin_api_id IS NOT NULL) AS moved,
  (SELECT count(*) FROM keylift.outcomes WHERE outcome = 'merge') AS merged,
  (SELECT count(*) FROM keylift.outcomes WHERE outcome = 'exception') AS exceptions,
  (SELECT count(*) FROM keylift.batches WHERE state = 'done' AND upto_id IS NOT NULL) AS batches;
