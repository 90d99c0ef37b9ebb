import type { ReadSession } from '../database/session.js';
import { quoteIdentifier } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import { keyColumns, partitionsOf, type KeyColumn, type Partition } from './columns.js';
import { onCatalogAlone, onOwnPath, searchPathOf } from './search-path.js';
import { keyIsUnique } from './unique-key.js';
import { carriedUniques, type CarriedUnique } from './uniques.js';
import { inZone, legacyFragments, notEmpty, nowIn, type LegacyFragments, type WritableValue } from './fragments.js';

/** PostgreSQL type names of the mapped values, without domains, length or precision, as a function's parameter wants them. */
export interface LegacyTypes {
  id: string;
  idIsInteger: boolean;
  /** No index keeps an id from being in two partitions. */
  idMayRepeat: boolean;
  /** Qualified name of the sequence behind the legacy id, ready for `regclass`; null where there is none. */
  idSequence: string | null;
  /** SQL that makes an id that is no integer; null where nobody but the platform can. */
  idDefault: string | null;
  token: string;
  tokenIsBytes: boolean;
  /** ` COLLATE "default"` for a variable of a type that texts are ordered in: a parameter would take its argument's. */
  neutral: { id: string; token: string; apiId: string };
  /** Has the legacy table an index, whole and valid, that begins with the token? */
  tokenIndexed: boolean;
  api: string;
  apiId: string;
  account: string;
  lastUsedAt: string;
  createdAt: string;
  /** The moment a key is born in Settings, in the type of creation dates. */
  bornAt: string;
  /** Legacy key columns whose change concerns keylift: all that is mapped, without last use. Quoted. */
  watched: WatchedColumn[];
}

/** A legacy column, quoted; `byText` where its type has no order of its own or compares unequal texts as equal. */
export interface WatchedColumn {
  name: string;
  byText: boolean;
}

/** A column brought along, quoted, with the default it has in the legacy table; nobody can write a computed one. */
export interface CarriedColumn {
  name: string;
  default: string | null;
  computed: boolean;
}

/** The operator's schema as found. `searchPath` is where installed functions look names up; quoted. */
export interface MappedSchema {
  settings: Settings;
  legacy: LegacyFragments;
  types: LegacyTypes;
  carried: CarriedColumn[];
  uniques: CarriedUnique[];
  /** Of a partitioned key table; writers may name a partition, which then runs its own triggers alone. */
  partitions: Partition[];
  searchPath: string;
}

/** A sequence can count these. */
const NUMBERS = new Set(['smallint', 'integer', 'bigint', 'numeric']);

/**
 * Reads from the catalog what the mapping means in this database.
 *
 * @throws DatabaseError 42P01 or 42703 where a mapped table or column is not there; the command layer names it.
 */
export async function inspectLegacy(session: ReadSession, settings: Settings): Promise<MappedSchema> {
  const pure = legacyFragments(settings);
  const found = await typesOf(session, pure, settings);
  const { columns, uniques, partitions, keyIs } = await onCatalogAlone(session, async () => ({
    columns: await keyColumns(session, settings),
    uniques: (await carriedUniques(session, settings)).carried,
    partitions: await partitionsOf(session, settings),
    keyIs: await keyIsUnique(session, settings),
  }));
  const id = columns.find((c) => c.name === settings.legacy.keys.id)!;
  return {
    settings,
    legacy: zoned(
      {
        ...pure,
        hasToken: (alias) => `(${notEmpty(pure.token(alias), found.token!)}) IS TRUE`,
        writable: writableOf(pure, columns),
      },
      { settings, type: found.expires_at! },
    ),
    searchPath: await searchPathOf(session, pure, { settings, path: found.path ?? 'public' }),
    carried: settings.legacy.keys.carry
      .map((name) => columns.find((c) => c.name === name)!)
      .map((c) => ({ name: quoteIdentifier(c.name), default: c.default, computed: c.computed })),
    uniques,
    partitions,
    types: {
      id: argumentType(found.id!),
      idIsInteger: NUMBERS.has(found.id!),
      idMayRepeat: keyIs === 'by partition',
      idSequence: id.sequence,
      idDefault: idDefault(found.id!, id),
      token: argumentType(found.token!),
      tokenIsBytes: found.token === 'bytea',
      neutral: {
        id: neutral(found.id_collated),
        token: neutral(found.token_collated),
        apiId: neutral(found.api_id_collated),
      },
      tokenIndexed: found.token_indexed === 'true',
      api: argumentType(found.api!),
      // A number in a gateway's query is an integer, which no smallint parameter takes.
      apiId: found.api_id === 'smallint' ? 'integer' : argumentType(found.api_id!),
      account: argumentType(found.account!),
      lastUsedAt: found.last_used_at!,
      createdAt: found.created_at!,
      bornAt:
        settings.legacy.keys.timeZone !== undefined && WITHOUT_ZONE.has(found.created_at)
          ? nowIn(settings.legacy.keys.timeZone)
          : 'now()',
      watched: watchedColumns(columns, settings),
    },
  };
}

/** One row: types without their domains, and what else one look can tell. Every expression is tried as it will stand. */
async function typesOf(
  session: ReadSession,
  l: LegacyFragments,
  settings: Settings,
): Promise<Record<string, string | null>> {
  const typeOf = (expression: string): string =>
    `pg_catalog.pg_typeof((SELECT ${expression} FROM ${l.from} WHERE false))`;
  const bare = (expression: string): string => `(
      WITH RECURSIVE down AS (
        SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = ${typeOf(expression)}
        UNION ALL SELECT t.oid, t.typbasetype FROM down JOIN pg_catalog.pg_type t ON t.oid = down.typbasetype)
      SELECT pg_catalog.format_type(oid, NULL) FROM down WHERE typbasetype = 0)`;
  const collated = (expression: string): string =>
    `(SELECT typcollation <> 0 FROM pg_catalog.pg_type WHERE oid = ${typeOf(expression)})::text`;
  const ofKey = [
    l.id(),
    l.token(),
    l.api(),
    l.account(),
    l.name(),
    l.createdAt(),
    l.lastUsedAt(),
    l.revokedAt(),
    l.expiresAt(),
    ...l.carry.map((c) => `k.${c}`),
  ];
  return onOwnPath(session, () =>
    session.one<Record<string, string | null>>(
      `
    SELECT ${bare(l.id())} AS id, ${bare(l.token())} AS token, ${bare(l.api())} AS api, ${bare(l.account())} AS account, ${bare(l.apiId())} AS api_id,
      ${collated(l.id())} AS id_collated, ${collated(l.token())} AS token_collated, ${collated(l.apiId())} AS api_id_collated,
      ${bare(l.lastUsedAt())} AS last_used_at, ${bare(l.expiresAt())} AS expires_at, ${bare(l.createdAt())} AS created_at,
      ${typeOf(`ROW(${[...ofKey, l.slug(), l.accountName()].join(', ')})`)}::text AS rest,
      ${typeOf(`ROW(${l.inStore()}, ${l.isPerApiKey()}, ${l.hasToken()}, ${l.alive()}, ${l.createdAt()} <= now(), ${l.lastUsedAt()} <= now(), ${l.revokedAt()} <= now())`)}::text AS conditions,
      (SELECT ROW(${ofKey.join(', ')}, ${l.isPerApiKey()}) IS NULL FROM ${l.keys} k WHERE false)::text AS of_key_alone,
      (SELECT ROW(${l.inStore()}, ${l.slug()}) IS NULL FROM ${l.apis} a WHERE false)::text AS of_api_alone,
      (SELECT ${l.accountName()} IS NULL FROM ${l.accounts} o WHERE false)::text AS of_account_alone,
      EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1::regclass AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL)::text AS token_indexed,
      (SELECT string_agg(pg_catalog.quote_ident(s), ', ') FROM pg_catalog.unnest(current_schemas(false)) s) AS path`,
      [l.keys, typeof settings.legacy.keys.token === 'string' ? settings.legacy.keys.token : null],
    ),
  );
}

/** `character` as a parameter would mean one character; text-like arguments are taken as text. */
const argumentType = (type: string): string =>
  type === 'character varying' ? 'text' : type === 'character' ? 'bpchar' : type;

const WITHOUT_ZONE = new Set<string | null | undefined>(['timestamp without time zone', 'date']);

const zoned = (l: LegacyFragments, { settings, type }: { settings: Settings; type: string }): LegacyFragments => {
  const { timeZone } = settings.legacy.keys;
  return timeZone !== undefined && WITHOUT_ZONE.has(type) ? inZone(l, timeZone) : l;
};

const neutral = (collated: string | null | undefined): string => (collated === 'true' ? ' COLLATE "default"' : '');

/** The platform's own way to make an id, or a random one that fits the column. Integers come from a sequence instead. */
function idDefault(type: string, { default: own, length }: KeyColumn): string | null {
  if (NUMBERS.has(type)) return null;
  if (own !== null) return own;
  if (type === 'uuid') return 'gen_random_uuid()';
  if (length === null || length >= 36) return 'gen_random_uuid()::text';
  if (length >= 16) return `left(replace(gen_random_uuid()::text, '-', ''), ${String(Math.min(length, 32))})`;
  // Six bits a character instead of four: 11 of them are 60 random bits.
  return length >= 11
    ? `left(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/', '-_'), ${String(length)})`
    : null;
}

/** Only plain columns that the table does not compute itself can be written. */
function writableOf({ writable }: LegacyFragments, columns: readonly KeyColumn[]): LegacyFragments['writable'] {
  const computed = columns.filter((c) => c.computed).map((c) => quoteIdentifier(c.name));
  return Object.fromEntries(
    Object.entries(writable).map(([value, column]) => [
      value,
      column !== null && computed.includes(column) ? null : column,
    ]),
  ) as Record<WritableValue, string | null>;
}

/** With an expression or a virtual column among the values any column may matter; else only the mapped ones do. */
function watchedColumns(columns: readonly KeyColumn[], { legacy: { keys } }: Settings): WatchedColumn[] {
  const values = [keys.token, keys.name, keys.createdAt, keys.revokedAt, keys.expiresAt, keys.api, keys.account];
  const mapped = new Set([keys.id, ...values.filter((v) => typeof v === 'string'), ...keys.carry]);
  const everyColumn =
    keys.where !== null ||
    values.some((v) => v !== null && typeof v !== 'string') ||
    columns.some((c) => c.virtual && mapped.has(c.name));
  return columns
    .filter((c) => c.name !== keys.lastUsedAt && !c.virtual && (everyColumn || mapped.has(c.name)))
    .map((c) => ({ name: c.quoted, byText: c.byText }));
}
