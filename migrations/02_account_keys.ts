import { parseTableName } from '../src/config/identifiers.js';
import { derivedName } from '../src/mapping/copy.js';
import { execute, type Migration, type MigrationContext } from './context.js';

/** `NEW.id := …` for a key born in Settings, by id type; ids of both tables never collide (rule 3). */
function idDefault({ legacy: l, types }: MigrationContext): string {
  if (!types.idIsInteger)
    return types.idDefault === null ? '' : `ALTER TABLE ${l.target} ALTER COLUMN id SET DEFAULT ${types.idDefault};`;
  // A trigger rather than a default: a default would ask each writer for a right on the sequence,
  // which an identity column, what the legacy table has, never did.
  return `
    ${types.idSequence === null ? `CREATE SEQUENCE IF NOT EXISTS keylift.key_ids;` : ''}
    CREATE FUNCTION keylift.draw_key_id() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
      ids CONSTANT regclass := '${(types.idSequence ?? 'keylift.key_ids').replaceAll("'", "''")}'::regclass;
      free ${types.id};
    BEGIN
      LOOP
        NEW.id := nextval(ids);
        EXIT WHEN NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = NEW.id)
          AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = NEW.id);
        -- The sequence lags behind ids that were given by hand: step over the block that is taken.
        SELECT taken.id INTO free
        FROM (SELECT ${l.id()} AS id FROM ${l.keys} k WHERE ${l.id()} >= NEW.id
              UNION ALL SELECT t.id FROM ${l.target} t WHERE t.id >= NEW.id) taken
        WHERE NOT EXISTS (SELECT FROM ${l.keys} n WHERE ${l.id('n')} = taken.id + 1)
          AND NOT EXISTS (SELECT FROM ${l.target} n WHERE n.id = taken.id + 1)
        ORDER BY taken.id LIMIT 1;
        PERFORM setval(ids, free::bigint);
      END LOOP;
      RETURN NEW;
    END $body$;
    REVOKE ALL ON FUNCTION keylift.draw_key_id() FROM PUBLIC;
    CREATE TRIGGER keylift_draw_key_id BEFORE INSERT ON ${l.target}
      FOR EACH ROW WHEN (NEW.id IS NULL) EXECUTE FUNCTION keylift.draw_key_id();`;
}

/** Carried columns have the defaults of the legacy table, for keys that are born with account, name and token alone. */
const carriedDefaults = ({ legacy: l, carried }: MigrationContext): string =>
  carried
    .map((c) => (c.default === null ? '' : `ALTER TABLE ${l.target} ALTER COLUMN ${c.name} SET DEFAULT ${c.default};`))
    .join('\n    ');

/** The new table, lean: only its primary key and the index for keys born in Settings stand before harden. */
export function accountKeysTable(context: MigrationContext): string {
  const { legacy: l, settings, types } = context;
  const { name } = parseTableName(settings.target.table);
  return `
    CREATE TABLE ${l.target} AS
      SELECT ${types.idIsInteger ? `(${l.id()})::${types.id}` : l.id()} AS id, ${l.account()} AS account_id, ${l.name()} AS name, ${l.token()} AS token,
        'store_apis'::text AS scope, ${l.api()} AS origin_api_id, ${l.createdAt()} AS created_at,
        ${l.lastUsedAt()} AS last_used_at, ${l.revokedAt()} AS revoked_at, ${l.expiresAt()} AS expires_at
        ${l.carry.map((name) => `, k.${name}`).join('')}
      FROM ${l.from} WHERE false;
    ALTER TABLE ${l.target}
      ADD PRIMARY KEY (id),
      ALTER COLUMN account_id SET NOT NULL,
      ALTER COLUMN token SET NOT NULL,
      ALTER COLUMN created_at SET NOT NULL, ALTER COLUMN created_at SET DEFAULT ${types.bornAt},
      ALTER COLUMN scope SET NOT NULL, ALTER COLUMN scope SET DEFAULT 'store_apis';
    ${idDefault(context)}
    ${carriedDefaults(context)}
    CREATE UNIQUE INDEX ${derivedName(name, 'born_token')} ON ${l.target} (token) WHERE origin_api_id IS NULL;
  `;
}

/** Expand: the table that Settings lists. */
export const accountKeys: Migration = {
  name: '02_account_keys',

  async up(knex, context) {
    await execute(knex, accountKeysTable(context));
  },

  async down(knex, { legacy: l }) {
    await execute(
      knex,
      `
      DROP TABLE IF EXISTS ${l.target};
      DROP FUNCTION IF EXISTS keylift.draw_key_id();
      DROP SEQUENCE IF EXISTS keylift.key_ids;
    `,
    );
  },
};
