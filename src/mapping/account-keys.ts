import { parseTableName } from '../config/identifiers.js';
import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { copyRowSecurity, revokeBeyond, revokeFromOthers } from '../database/rights.js';
import { literal, sql, type Statement } from '../database/sql.js';
import { derivedName } from './copy.js';
import { idIndex } from './indexes.js';
import type { LegacyTypes, MappedSchema } from './inspect.js';
import { nativeTokenIndexes } from './token-index.js';

/** The table that Settings lists. Until harden it has no index but the two small ones of native keys. */
export const accountKeysTable = (schema: MappedSchema): Statement[] => [
  createTable(schema),
  ...idDefault(schema),
  ...carriedDefaults(schema),
  nativeIndexes(schema),
];

export const dropAccountKeysTable = ({ legacy: l }: MappedSchema): Statement => ({
  title: `drop table ${l.target}`,
  text: sql`
    DROP TABLE IF EXISTS ${l.target};
    DROP FUNCTION IF EXISTS keylift.draw_key_id();
    DROP SEQUENCE IF EXISTS keylift.key_ids;`,
});

function createTable({ legacy: l, types }: MappedSchema): Statement {
  const columns = [
    `${types.idIsInteger ? `(${l.id()})::${types.id}` : l.id()} AS id`,
    `${l.account()} AS account_id`,
    `${l.name()} AS name`,
    `${l.token()} AS token`,
    `'store_apis'::text AS scope`,
    `${l.api()} AS origin_api_id`,
    `${l.createdAt()} AS created_at`,
    `${l.lastUsedAt()} AS last_used_at`,
    `${l.revokedAt()} AS revoked_at`,
    `${l.expiresAt()} AS expires_at`,
    ...l.carry.map((name) => `k.${name}`),
  ];
  return {
    title: `table ${l.target}`,
    text: sql`
      CREATE TABLE ${l.target} AS
      SELECT
        ${columns.join(',\n')}
      FROM
        ${l.from}
      WHERE false;
      ALTER TABLE ${l.target}
        ALTER COLUMN id SET NOT NULL,
        ALTER COLUMN account_id SET NOT NULL,
        ALTER COLUMN token SET NOT NULL,
        ALTER COLUMN created_at SET NOT NULL,
        ALTER COLUMN created_at SET DEFAULT ${types.nativeCreatedAt},
        ALTER COLUMN scope SET NOT NULL,
        ALTER COLUMN scope SET DEFAULT 'store_apis';
      ${revokeBeyond(l.keys, l.target)}
      ${copyRowSecurity({ from: l.keys, to: l.target })}`,
  };
}

/** The id of a native key, by id type; ids of the two tables never collide (rule 3). */
function idDefault(schema: MappedSchema): Statement[] {
  const { types } = schema;
  if (!drawsIds(types)) return [];
  return [...sequence(schema), ...drawnIds(schema, { indexed: false }), drawRights, drawTrigger(schema)];
}

/** Does keylift draw the ids of native keys? Otherwise the platform gives them. */
export const drawsIds = ({ idIsInteger, idDefault }: LegacyTypes): boolean => idIsInteger || idDefault !== null;

/**
 * Ids are drawn by a trigger rather than a default: a default would need a right on the sequence for each writer, which an
 * identity column, what the legacy table has, never needs; and an id that a writer gives could not be told from it.
 */
function drawnIds(schema: MappedSchema, options: { indexed: boolean }): Statement[] {
  if (!drawsIds(schema.types)) return [];
  const draw = schema.types.idIsInteger ? drawInteger(schema, options) : drawDefault(schema);
  return [draw];
}

const sequence = ({ types }: MappedSchema): Statement[] =>
  types.idIsInteger && types.idSequence === null
    ? [
        {
          title: 'sequence keylift.key_ids',
          text: sql`
          CREATE SEQUENCE keylift.key_ids;
          ${revokeFromOthers('SEQUENCE', 'keylift.key_ids')}`,
        },
      ]
    : [];

const drawRights: Statement = {
  title: 'rights on keylift.draw_key_id',
  text: revokeFromOthers('FUNCTION', 'keylift.draw_key_id()'),
};

const drawTrigger = ({ legacy: l }: MappedSchema): Statement => ({
  title: `trigger of ${l.target} that draws ids`,
  text: sql`
    CREATE TRIGGER keylift_draw_key_id BEFORE INSERT ON ${l.target}
      FOR EACH ROW WHEN (NEW.id IS NULL) EXECUTE FUNCTION keylift.draw_key_id();`,
});

/** No sequence counts further. */
const LARGEST = '9223372036854775807';

/** Before harden no index finds a moved key by its id; each of them has the id of a row of the legacy table. */
function drawInteger({ legacy: l, types }: MappedSchema, { indexed }: { indexed: boolean }): InstalledFunction {
  const native = (alias: string): string => (indexed ? '' : `AND ${alias}.origin_api_id IS NULL`);
  return installedFunction({
    name: 'draw_key_id',
    replace: true,
    returns: 'trigger',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Runs before a native key is inserted without an id. Draws the next id of the legacy table's sequence that neither
      table has.`,
    body: sql`
      DECLARE
        ids CONSTANT regclass := ${literal(types.idSequence ?? 'keylift.key_ids')}::regclass;
        free ${types.id};
      BEGIN
        LOOP
          NEW.id := nextval(ids);
          EXIT WHEN NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = NEW.id)
            AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = NEW.id ${native('t')});
          -- Ids that were given by hand are ahead of the sequence: it is set to the end of the block that is taken.
          SELECT taken.id
          INTO free
          FROM (
            SELECT ${l.id()} AS id FROM ${l.keys} k WHERE ${l.id()} >= NEW.id
            UNION ALL
            SELECT t.id FROM ${l.target} t WHERE t.id >= NEW.id ${native('t')}
          ) taken
          WHERE CASE WHEN taken.id::numeric < ${LARGEST} THEN
            NOT EXISTS (SELECT FROM ${l.keys} n WHERE ${l.id('n')} = taken.id + 1)
            AND NOT EXISTS (SELECT FROM ${l.target} n WHERE n.id = taken.id + 1 ${native('n')})
          END
          ORDER BY taken.id
          LIMIT 1;
          PERFORM setval(ids, free::bigint);
        END LOOP;
        RETURN NEW;
      END`,
  });
}

/** As the legacy table makes its ids, or at random. */
const drawDefault = ({ types }: MappedSchema): InstalledFunction =>
  installedFunction({
    name: 'draw_key_id',
    replace: true,
    returns: 'trigger',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Runs before a native key is inserted without an id. Draws one as the legacy table draws its ids.`,
    body: sql`
      BEGIN
        NEW.id := ${types.idDefault!};
        RETURN NEW;
      END`,
  });

/** Carried columns have the defaults of the legacy table, for native keys, made with account, name and token alone. */
function carriedDefaults({ legacy: l, carried }: MappedSchema): Statement[] {
  const columns = carried.filter((column) => column.default !== null);
  if (columns.length === 0) return [];
  return [
    {
      title: `defaults of the carried columns of ${l.target}`,
      text: columns
        .map((c) => `ALTER TABLE ${l.target} ALTER COLUMN ${c.name} SET DEFAULT ${String(c.default)};`)
        .join('\n'),
    },
  ];
}

const nativeIndex = ({ settings }: MappedSchema, column: 'id' | 'token' | 'token_lookup'): string =>
  derivedName(parseTableName(settings.target.table).name, `native_${column}`);

/** Before harden they find native keys and keep them unique; copying does not maintain them. */
const nativeIndexes = (schema: MappedSchema): Statement => ({
  title: `indexes of ${schema.legacy.target} for native keys`,
  text: sql`
    ${nativeTokenIndexes(schema, { name: nativeIndex(schema, 'token'), lookup: nativeIndex(schema, 'token_lookup') })}
    ${createNativeIdIndex(schema)}
    -- A table without a primary key that is published needs an identity, or its rows cannot be changed.
    ALTER TABLE ${schema.legacy.target} REPLICA IDENTITY FULL;`,
});

const createNativeIdIndex = (schema: MappedSchema): string =>
  `CREATE UNIQUE INDEX ${nativeIndex(schema, 'id')} ON ${schema.legacy.target} (id) WHERE origin_api_id IS NULL;`;

const primaryKeyName = ({ settings }: MappedSchema): string =>
  derivedName(parseTableName(settings.target.table).name, 'pkey');

/** The index by id becomes the primary key; the small one of native ids is not needed any more. */
export const addPrimaryKey = (schema: MappedSchema): Statement[] => [
  {
    title: `primary key of ${schema.legacy.target}`,
    text: sql`
      ALTER TABLE ${schema.legacy.target}
        ADD CONSTRAINT ${primaryKeyName(schema)} PRIMARY KEY USING INDEX ${idIndex(schema).name},
        REPLICA IDENTITY DEFAULT;
      DROP INDEX ${idIndex(schema).schema}.${nativeIndex(schema, 'id')};`,
  },
  ...drawnIds(schema, { indexed: true }),
];

export const dropPrimaryKey = (schema: MappedSchema): Statement[] => [
  {
    title: `drop the primary key of ${schema.legacy.target}`,
    text: sql`
      ALTER TABLE ${schema.legacy.target} DROP CONSTRAINT IF EXISTS ${primaryKeyName(schema)}, REPLICA IDENTITY FULL;
      -- Knex records the way back after its commit, so this may run twice.
      DROP INDEX IF EXISTS ${idIndex(schema).schema}.${nativeIndex(schema, 'id')};
      ${createNativeIdIndex(schema)}`,
  },
  ...drawnIds(schema, { indexed: false }),
];
