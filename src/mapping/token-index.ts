import type { LegacyTypes, MappedSchema } from './inspect.js';

/*
 * An entry of a btree index holds about 2,700 bytes. Where the legacy table takes longer tokens, an index over the token
 * would refuse the platform's write. Then a unique index over SHA-256 of the token keeps tokens unique, and a hash index,
 * which has no such limit, finds them. Every query still compares the token itself.
 */

type TokenTypes = Pick<LegacyTypes, 'tokenIsBytes' | 'tokenFitsBtree'>;

/** What the unique index of the new table's tokens is over, as in SQL. */
export const uniqueToken = ({ types }: { types: TokenTypes }): string =>
  types.tokenFitsBtree ? '(token)' : `(${digestOf('token', types)})`;

/** What an index that finds rows by `token`, a column or an expression in parentheses, is over. */
export const lookupOfToken = ({ types }: { types: TokenTypes }, token: string): string =>
  types.tokenFitsBtree ? `(${token})` : `USING hash (${token})`;

/**
 * SHA-256 of the bytes of a token, by immutable functions alone. `convert_to` is not immutable; `decode` reads the bytes
 * of a text as they are once each backslash is doubled.
 */
const digestOf = (token: string, { tokenIsBytes }: TokenTypes): string =>
  tokenIsBytes
    ? `pg_catalog.sha256(${token})`
    : `pg_catalog.sha256(pg_catalog.decode(pg_catalog.replace(${token}, E'\\\\', E'\\\\\\\\'), 'escape'))`;

/** The small indexes of native keys by token, before the others exist. `name` and `lookup` are their quoted names. */
export function nativeTokenIndexes(
  schema: Pick<MappedSchema, 'legacy' | 'types'>,
  { name, lookup }: { name: string; lookup: string },
): string {
  const { target } = schema.legacy;
  const unique = `CREATE UNIQUE INDEX ${name} ON ${target} ${uniqueToken(schema)} WHERE origin_api_id IS NULL;`;
  if (schema.types.tokenFitsBtree) return unique;
  return `${unique}
CREATE INDEX ${lookup} ON ${target} ${lookupOfToken(schema, 'token')} WHERE origin_api_id IS NULL;`;
}
