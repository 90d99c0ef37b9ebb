import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql, type Statement } from '../database/sql.js';

/** Who writes for keylift: a stage, in bulk, or the functions that the mirror's triggers call. */
export type OwnWriter = 'stage' | 'mirror';

const SETTING = `coalesce(current_setting('keylift.writer', true), '')`;

/**
 * The secret behind the marks of keylift's own writes, and the function that makes a mark. A session can set
 * `keylift.writer` to any text, but cannot make a mark: it reads neither the secret nor calls the function.
 */
export const ownWrites = (): Statement[] => [
  {
    title: 'table keylift.writer_secret',
    text: sql`
      CREATE TABLE keylift.writer_secret (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        secret text NOT NULL
      );
      INSERT INTO keylift.writer_secret (secret) VALUES (gen_random_uuid()::text || gen_random_uuid()::text);`,
  },
  ownWrite(),
];

export const dropOwnWrites: Statement = {
  title: 'drop the marks of own writes',
  text: sql`
    DROP FUNCTION IF EXISTS keylift.own_write(text, integer);
    DROP TABLE IF EXISTS keylift.writer_secret;`,
};

const ownWrite = (): InstalledFunction =>
  installedFunction({
    name: 'own_write',
    parameters: [
      { name: 'writer', type: 'text' },
      { name: 'depth', type: 'integer' },
    ],
    returns: 'text',
    attributes: 'STABLE',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      The mark of a write by keylift: valid in this transaction, for the triggers that the marked statement fires at this
      depth. A statement of the platform's triggers inside it runs one level deeper, so the mark is not valid there.`,
    body: sql`
      BEGIN
        RETURN own_write.writer || ':' || (
          SELECT encode(
            sha256(concat_ws(':', s.secret, pg_current_xact_id(), own_write.depth, own_write.writer)::bytea), 'hex')
          FROM keylift.writer_secret s
        );
      END`,
  });

/** In a trigger function: did keylift write the row or statement that fired it? It costs the platform one comparison. */
export const IS_OWN_WRITE = sql`
  ${SETTING} <> ''
  AND ${SETTING} = keylift.own_write(
    split_part(${SETTING}, ':', 1), pg_trigger_depth()
  )`;

/** The same for the bulk writes of a stage alone. */
export const IS_WRITE_OF_STAGE = sql`
  ${SETTING} <> ''
  AND ${SETTING} = keylift.own_write(
    'stage', pg_trigger_depth()
  )`;

/** A stage marks what its transaction writes until its end. */
export const MARK_WRITES_OF_STAGE = `SELECT set_config('keylift.writer', keylift.own_write('stage', 1), true)`;

/**
 * In a function: runs `body` with its writes marked. The settings of the caller return afterwards, and an error returns
 * them, too. Not a SET of the function: only a superuser may give a function such a parameter.
 */
export const marked = (body: string): string => sql`
  -- An assignment, not PERFORM, which begins a statement.
  written := set_config('keylift.writer', keylift.own_write('mirror', pg_trigger_depth() + 1), true);
  ${body}
  written := set_config('keylift.writer', writer_before, true);`;

/** Variables that `marked` needs. */
export const MARK_VARIABLES = sql`
  writer_before CONSTANT text := ${SETTING};
  written text;`;
