import type { ReadSession } from '../database/session.js';
import { quoteIdentifier } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import { readAccountForeignKey, type AccountForeignKey } from './account-foreign-key.js';
import { keyColumns, partitionsOf, type KeyColumn, type Partition, type TableColumn } from './columns.js';
import { onCatalogAlone, searchPathOf } from './search-path.js';
import { keyIsUnique, type UniqueKey } from './unique-key.js';
import { carriedUniques, type CarriedUnique } from './uniques.js';
import { readValueTypes, type ValueTypes } from './value-types.js';
import { inZone, legacyFragments, notEmpty, nowIn, type LegacyFragments, type WritableValue } from './fragments.js';

/** PostgreSQL type names of the mapped values, without domains, length or precision, as a function's parameter wants them. */
export interface LegacyTypes {
  id: string;
  idIsInteger: boolean;
  /** No index keeps an id from being in two partitions. */
  idMayRepeat: boolean;
  /** Qualified name of the sequence behind the legacy id, ready for `regclass`; null where there is none. */
  idSequence: string | null;
  /** SQL that makes an id that is no integer; null where only the platform can. */
  idDefault: string | null;
  token: string;
  tokenIsBytes: boolean;
  /** ` COLLATE "default"` for a variable of a type that texts are ordered in: a parameter would take its argument's. */
  neutral: { id: string; token: string; apiId: string };
  /** True when the legacy table has an index, whole and valid, that begins with the token. */
  tokenIndexed: boolean;
  /**
   * True when that index is a B-tree, which finds the rows of an array of tokens. A hash index compares each row that it
   * finds with the whole array.
   */
  tokensSorted: boolean;
  /** True when a B-tree index holds every token that the legacy table takes. */
  tokenFitsBtree: boolean;
  api: string;
  apiId: string;
  account: string;
  lastUsedAt: string;
  createdAt: string;
  /** The current time in the type of creation dates: when a native key is created. */
  nativeCreatedAt: string;
  /** Legacy key columns whose change concerns keylift: all that is mapped, without last use. Quoted. */
  watched: WatchedColumn[];
}

/** A legacy column, quoted; `byText` where its type has no order of its own or compares unequal texts as equal. */
export interface WatchedColumn {
  name: string;
  byText: boolean;
}

/** A carried column, quoted, with the default it has in the legacy table; a computed one cannot be written. */
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
  /** How the legacy table follows its accounts; null: it does not. */
  accountForeignKey: AccountForeignKey | null;
  /** All columns of the legacy key table, which the archive gets, too. */
  columns: readonly TableColumn[];
  /** Of a partitioned key table; writers may name a partition, which then runs its own triggers alone. */
  partitions: Partition[];
  searchPath: string;
}

/** A sequence can count these. */
const NUMBERS = new Set(['smallint', 'integer', 'bigint', 'numeric']);

/** What the catalog says of the mapped tables. */
export interface LegacyFacts {
  values: ValueTypes;
  columns: readonly KeyColumn[];
  uniques: CarriedUnique[];
  partitions: Partition[];
  keyIs: UniqueKey;
  accountForeignKey: AccountForeignKey | null;
  searchPath: string;
}

/**
 * Reads from the catalog what the mapping means in this database.
 *
 * @throws DatabaseError 42P01 or 42703 where a mapped table or column does not exist; the command layer names it.
 */
export const inspectLegacy = async (session: ReadSession, settings: Settings): Promise<MappedSchema> =>
  mappedSchema(settings, await readFacts(session, settings));

export async function readFacts(session: ReadSession, settings: Settings): Promise<LegacyFacts> {
  const l = legacyFragments(settings);
  const values = await readValueTypes(session, l, settings);
  const facts = await onCatalogAlone(session, async () => ({
    columns: await keyColumns(session, settings),
    uniques: (await carriedUniques(session, settings)).carried,
    partitions: await partitionsOf(session, settings),
    keyIs: await keyIsUnique(session, settings),
    accountForeignKey: await readAccountForeignKey(session, settings),
  }));
  const searchPath = await searchPathOf(session, l, { settings, path: values.path ?? 'public' });
  return { values, ...facts, searchPath };
}

/** The operator's schema, from the configuration and what the catalog says. Pure. */
export function mappedSchema(settings: Settings, facts: LegacyFacts): MappedSchema {
  const { columns, uniques, partitions, searchPath } = facts;
  return {
    settings,
    legacy: fragmentsOf(settings, facts),
    searchPath,
    carried: settings.legacy.keys.carry
      .map((name) => columns.find((c) => c.name === name)!)
      .map((c) => ({ name: quoteIdentifier(c.name), default: c.default, computed: c.computed })),
    uniques,
    accountForeignKey: facts.accountForeignKey,
    columns: columns.map((c) => ({ name: c.quoted, generated: c.generated })),
    partitions,
    types: typesOf(settings, facts),
  };
}

function fragmentsOf(settings: Settings, { values, columns }: LegacyFacts): LegacyFragments {
  const pure = legacyFragments(settings);
  const fragments = {
    ...pure,
    hasToken: (alias?: string) => `(${notEmpty(pure.token(alias), values.types.token)}) IS TRUE`,
    writable: writableOf(pure, columns),
  };
  return zoned(fragments, { settings, type: values.types.expires_at });
}

function typesOf(settings: Settings, { values, columns, keyIs }: LegacyFacts): LegacyTypes {
  const { types, collated } = values;
  const id = columns.find((c) => c.name === settings.legacy.keys.id)!;
  return {
    id: argumentType(types.id),
    idIsInteger: NUMBERS.has(types.id),
    idMayRepeat: keyIs === 'by partition',
    idSequence: id.sequence,
    idDefault: idDefault(types.id, id),
    token: argumentType(types.token),
    tokenIsBytes: types.token === 'bytea',
    neutral: { id: neutral(collated.id), token: neutral(collated.token), apiId: neutral(collated.api_id) },
    tokenIndexed: values.token_index !== null,
    tokensSorted: values.token_index === 'btree',
    tokenFitsBtree: values.token_fits_btree,
    api: argumentType(types.api),
    // A number in a gateway's query is an integer, which no smallint parameter takes.
    apiId: types.api_id === 'smallint' ? 'integer' : argumentType(types.api_id),
    account: argumentType(types.account),
    lastUsedAt: types.last_used_at,
    createdAt: types.created_at,
    nativeCreatedAt:
      settings.legacy.keys.timeZone !== undefined && WITHOUT_ZONE.has(types.created_at)
        ? nowIn(settings.legacy.keys.timeZone)
        : 'now()',
    watched: watchedColumns(columns, settings),
  };
}

/** `character` as a parameter would mean one character; text-like arguments are taken as text. */
const argumentType = (type: string): string =>
  type === 'character varying' ? 'text' : type === 'character' ? 'bpchar' : type;

const WITHOUT_ZONE = new Set<string | null | undefined>(['timestamp without time zone', 'date']);

const zoned = (l: LegacyFragments, { settings, type }: { settings: Settings; type: string }): LegacyFragments => {
  const { timeZone } = settings.legacy.keys;
  return timeZone !== undefined && WITHOUT_ZONE.has(type) ? inZone(l, timeZone) : l;
};

const neutral = (collated: boolean): string => (collated ? ' COLLATE "default"' : '');

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
