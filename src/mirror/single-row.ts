import { copiedColumns, type CopiedColumn } from '../mapping/copy.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { movesAlone } from '../mapping/rules/verdicts.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { KEPT_PLANS, looksOfSettle } from './settle-bodies.js';
import { LATE } from './late.js';

/** No row for a transaction whose snapshot is older than this mirror: the function is always current, the row is not. */
export const OUR_MIGRATION = 'keylift.migration m WHERE m.mirror = keylift.mirror_number()';

/** What the rules ask of a key alone. Where account key and per-API key agree in it, what was judged of them stands. */
const JUDGED = new Set(['account_id', 'token', 'origin_api_id', 'created_at']);

/**
 * Nobody has to be waited for, or judged along: no other row has the token, none follows this account key, and no range
 * is being copied. A row of the token that the rules set aside counts, too: its API or account may have come since.
 */
export const byItself = (
  l: LegacyFragments,
): string => `NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token()} = own.token AND ${l.id()} <> own.id)
          AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
          AND NOT EXISTS (SELECT FROM keylift.batches WHERE open)`;

/** Not while a rollback takes account keys out; nor for a snapshot that is older than the mirror. */
const IN_FORCE = `(SELECT m.state FROM ${OUR_MIGRATION}) <> 'rolling_back'`;

const row = (items: readonly string[]): string => `ROW(${items.join(', ')})`;
export const targets = (columns: readonly CopiedColumn[]): string => row(columns.map((c) => `t.${c.target}`));
export const sources = (columns: readonly CopiedColumn[]): string => row(columns.map((c) => c.source));

/**
 * `keylift.mirror_one_insert`, `…_update`, `…_delete`: carry the change of one legacy row over in one statement, where
 * that is all there is to do, and return whether it was. To begin a statement costs more than what it finds out, and most
 * writes are of a key that has its token for itself. Each asks in its own snapshot for all that could make it
 * otherwise, and then does nothing: `settle` looks at the state as it is and decides. docs/races.md says why nothing
 * has to be locked here.
 */
export function mirrorOneFunctions(context: MappedSchema): string {
  return [
    oneStatement(context, { name: 'mirror_one_insert', statement: insertOne(context) }),
    oneStatement(context, { name: 'mirror_one_update', statement: updateOne(context) }),
    oneStatement(context, { name: 'mirror_one_delete', statement: deleteOne(context) }),
  ].join('\n');
}

/**
 * The account key of a new row. What another session commits meanwhile under the same token keeps this one out at the
 * token's index, or is found by who builds it.
 */
function insertOne({ legacy: l }: MappedSchema): string {
  const columns = copiedColumns(l);
  return `
      INSERT INTO ${l.target} (id, ${columns.map((c) => c.target).join(', ')}, last_used_at)
      SELECT ${l.id()}, ${columns.map((c) => c.source).join(', ')}, ${l.lastUsedAt()} FROM ${l.from}
      WHERE ${l.id()} = own.id AND ${l.isPerApiKey()} AND ${movesAlone(l, looksOfSettle(l))}
        AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id)
        AND ${byItself(l)} AND ${IN_FORCE}
      ON CONFLICT DO NOTHING;`;
}

/** The account key follows its row in what nobody judges by, where it would be judged as it was. */
function updateOne({ legacy: l }: MappedSchema): string {
  const judged = copiedColumns(l).filter((c) => JUDGED.has(c.target));
  const followed = copiedColumns(l).filter((c) => !JUDGED.has(c.target));
  return `
      UPDATE ${l.target} t SET ${followed.map((c) => `${c.target} = ${c.source}`).join(', ')}, last_used_at = greatest(t.last_used_at, ${l.lastUsedAt()})
      FROM ${l.from}
      WHERE ${l.id()} = own.id AND t.id = own.id AND t.origin_api_id IS NOT NULL
        AND record_image_eq(${targets(judged)}, ${sources(judged)}) AND record_image_ne(${targets(followed)}, ${sources(followed)})
        AND ${l.isPerApiKey()} AND ${movesAlone(l, looksOfSettle(l))}
        AND ${byItself(l)} AND ${IN_FORCE};`;
}

/** A row that is gone takes its account key along. */
function deleteOne({ legacy: l }: MappedSchema): string {
  return `
      DELETE FROM ${l.target} t
      WHERE t.id = own.id AND t.origin_api_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = own.id)
        AND ${byItself(l)} AND ${IN_FORCE};`;
}

/** One of them: `statement` names its parameters `own.id` and `own.token`, and says by FOUND whether it was all. */
function oneStatement(
  { types, searchPath }: MappedSchema,
  { name, statement }: { name: string; statement: string },
): string {
  return `
    CREATE FUNCTION keylift.${name}(touched_id ${types.id}, touched_token ${types.token}) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${searchPath} ${KEPT_PLANS} AS $body$
    #variable_conflict use_column
    <<own>>
    DECLARE
      -- Copies, as parameters take the collation of their arguments.
      id CONSTANT ${types.id}${types.neutral.id} := touched_id;
      token CONSTANT ${types.token}${types.neutral.token} := touched_token;
      writer CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
      written text;
      done boolean;
    BEGIN
      written := set_config('keylift.writer', 'mirror', true);${statement}
      done := FOUND;
      written := set_config('keylift.writer', writer, true);
      RETURN done AND to_regclass('${LATE}') IS NULL; -- settle notes whom it judged
    END $body$;`;
}
