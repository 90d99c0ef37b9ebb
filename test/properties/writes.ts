import type { Change, WriteDraw } from './draws.js';
import type { ModelMigration } from './migration.js';
import { isMoved, type AccountKeyRow, type KeyRow, type ModelWorld } from './model.js';
import type { Place } from './place.js';
import { later } from './values.js';

/** One statement of the platform's, and what the design says must come of it. */
export interface Deed {
  sql: string;
  values: unknown[];
  /** SQLSTATEs of which one must come; none: the statement must pass. */
  refused: readonly string[];
  /** Ids that must be touched; null: as it stands, the row may not be there yet. */
  touches: readonly string[] | null;
  /** Changes the model, once the statement has passed and touched something. `rows`: what it returned. */
  effect: (rows: { id: string; created?: string }[]) => void;
}

export interface Stand {
  model: ModelWorld;
  place: Place;
  migration: ModelMigration;
}

const COLUMNS = {
  name: 'name',
  token: 'token',
  account: 'account_id',
  api: 'api_id',
  created: 'created_at',
  revoked: 'revoked_at',
  expires: 'expires_at',
} as const;
type Column = keyof typeof COLUMNS;

/** SQLSTATEs: what was refused, and by which constraint. */
const TAKEN = '23505';
const EMPTY = '23514';
const NULL = '23502';
const GUARDED = '55000';

/** What a drawn write is as a statement, as things stand; undefined where there is nothing to write to. */
export function deedOf(write: WriteDraw, stand: Stand): Deed | undefined {
  switch (write.kind) {
    case 'insert':
      return insert(stand, stand.place.key(stand.place.newId(), write.key));
    case 'change':
      return legacyKey(stand, write.pick, (row) => change(stand, [row], write.change));
    case 'change of all':
      return inTable(stand).length === 0 ? undefined : change(stand, inTable(stand), write.change);
    case 'swap of tokens':
      return swap(stand, write.picks);
    case 'new id':
      return legacyKey(stand, write.pick, (row) => newId(stand, row));
    case 'delete':
      return legacyKey(stand, write.pick, (row) => remove(stand, row));
    case 'use':
      return legacyKey(stand, write.pick, (row) => use(stand, row, write.at));
    case 'born':
      return born(stand, {
        account: stand.place.account(write.account)!,
        name: write.name,
        token: stand.place.token(write.token),
      });
    case 'change in Settings':
      return accountKey(stand, write.pick, (row) => changeInSettings(stand, row, write.change));
    case 'delete in Settings':
      return accountKey(stand, write.pick, (row) => removeInSettings(stand, row));
    case 'use in Settings':
      return accountKey(stand, write.pick, (row) => useInSettings(stand, row, write.at));
  }
}

/** Per-API keys that are in their table: what finalize archived is not. */
export const inTable = ({ model }: Pick<Stand, 'model'>): KeyRow[] =>
  [...model.keys.values()].filter(({ id }) => !(model.frozen?.has(id) ?? false));

const inStore = (model: ModelWorld, api: string | null): boolean => api !== null && model.apis.get(api) === 'store';

function legacyKey(stand: Stand, pick: number, deed: (row: KeyRow) => Deed | undefined): Deed | undefined {
  const rows = inTable(stand);
  return rows.length === 0 ? undefined : deed(rows[pick % rows.length]!);
}

/** Account keys that the platform may change; until harden is done these are the native keys. */
function accountKey(
  { model, migration }: Stand,
  pick: number,
  deed: (row: AccountKeyRow) => Deed | undefined,
): Deed | undefined {
  if (migration.state === 'none') return undefined;
  const rows = migration.complete ? model.settings(migration.held) : [...model.born.values()];
  return rows.length === 0 ? undefined : deed(rows[pick % rows.length]!);
}

function insert({ model, migration }: Stand, row: KeyRow): Deed {
  return {
    sql: `insert into public.api_keys (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at,
      expires_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id::text`,
    values: [row.id, row.account, row.api, row.name, row.token, row.created, row.used, row.revoked, row.expires],
    refused: migration.state === 'finalized' && inStore(model, row.api) ? [GUARDED] : [],
    touches: [row.id],
    effect: () => {
      model.keys.set(row.id, row);
      model.latestUse = later(model.latestUse, row.used);
    },
  };
}

function valueOf({ place }: Stand, { column, to }: Change): string | null {
  if (column === 'token') return place.token(to);
  if (column === 'account') return place.account(to);
  return column === 'api' ? place.api(to) : to;
}

function change(stand: Stand, rows: readonly KeyRow[], drawn: Change): Deed {
  const { model, migration } = stand;
  const value = valueOf(stand, drawn);
  // After finalize a key may not step into the store.
  const steps = rows.some(
    (row) => drawn.column === 'api' && row.api !== value && !inStore(model, row.api) && inStore(model, value),
  );
  return {
    sql: `update public.api_keys set ${COLUMNS[drawn.column]} = $2 where id = any ($1) returning id::text`,
    values: [rows.map(({ id }) => id), value],
    refused: migration.state === 'finalized' && steps ? [GUARDED] : [],
    touches: rows.map(({ id }) => id),
    effect: () => {
      for (const row of rows) row[drawn.column] = value;
    },
  };
}

function swap(stand: Stand, picks: readonly [number, number]): Deed | undefined {
  const rows = inTable(stand);
  const [a, b] = picks.map((pick) => rows[pick % rows.length]);
  if (a === undefined || b === undefined || a === b) return undefined;
  return {
    sql: `update public.api_keys k set token = other.token from public.api_keys other
      where k.id in ($1, $2) and other.id in ($1, $2) and k.id <> other.id returning k.id::text`,
    values: [a.id, b.id],
    refused: [],
    touches: [a.id, b.id],
    effect: () => {
      [a.token, b.token] = [b.token, a.token];
    },
  };
}

function newId({ model, place }: Stand, row: KeyRow): Deed {
  const id = place.newId();
  return {
    sql: 'update public.api_keys set id = $2 where id = $1 returning id::text',
    values: [row.id, id],
    refused: [],
    touches: [id],
    effect: () => {
      model.keys.delete(row.id);
      if (model.usedInSettings.has(row.id)) model.usedInSettings.add(id);
      row.id = id;
      model.keys.set(id, row);
    },
  };
}

function remove({ model }: Stand, row: KeyRow): Deed {
  return {
    sql: 'delete from public.api_keys where id = $1 returning id::text',
    values: [row.id],
    refused: [],
    touches: [row.id],
    effect: () => {
      model.keys.delete(row.id);
    },
  };
}

function use({ model }: Stand, row: KeyRow, at: string): Deed {
  return {
    sql: 'update public.api_keys set last_used_at = greatest(last_used_at, $2) where id = $1 returning id::text',
    values: [row.id, at],
    refused: [],
    touches: [row.id],
    effect: () => {
      row.used = later(row.used, at);
      model.latestUse = later(model.latestUse, at);
    },
  };
}

/** Does a per-API key of the store, still in its table, have this token? */
const ofStore = ({ model }: Stand, token: string): boolean =>
  inTable({ model }).some((row) => row.token === token && inStore(model, row.api));

/** Why an account key may not get this token, as SQLSTATEs. */
function refusalOf(stand: Stand, token: string | null, of: AccountKeyRow | null): string[] {
  const { model, migration } = stand;
  if (token === null) return [NULL];
  const born = of === null || of.origin === null;
  if (token === '' && (born || migration.complete)) return [EMPTY, TAKEN];
  const others = (migration.complete ? model.settings(migration.held) : [...model.born.values()]).filter(
    (row) => row.id !== of?.id && row.token === token,
  );
  if (others.length > 0 && (migration.complete || (born && others.some(({ origin }) => origin === null))))
    return [TAKEN];
  const guarded = migration.state === 'finalized' || (born && migration.expanded);
  return guarded && ofStore(stand, token) ? [TAKEN] : [];
}

function born(
  stand: Stand,
  { account, name, token }: { account: string; name: string | null; token: string | null },
): Deed | undefined {
  const { model, migration } = stand;
  if (migration.state === 'none' || (token === '' && !migration.complete)) return undefined;
  return {
    sql: `insert into public.account_api_keys (account_id, name, token) values ($1, $2, $3)
      returning id::text, created_at::text as created`,
    values: [account, name, token],
    refused: refusalOf(stand, token, null),
    touches: null,
    effect: ([row]) => {
      model.born.set(row!.id, {
        id: row!.id,
        account,
        name,
        token: token!,
        origin: null,
        created: row!.created!,
        revoked: null,
        expires: null,
      });
    },
  };
}

/** Why an account key may not get this value; undefined: the one that it has. */
function refusalInSettings(
  stand: Stand,
  row: AccountKeyRow,
  { column, value }: { column: Column; value: string | null | undefined },
): string[] {
  if (value === undefined) return [];
  if (column === 'account' && row.origin !== null) return [GUARDED];
  return column === 'token' ? refusalOf(stand, value, row) : [];
}

function changeInSettings(stand: Stand, row: AccountKeyRow, drawn: Change): Deed | undefined {
  const { model, migration } = stand;
  const column = drawn.column as Exclude<Column, 'api' | 'created'>;
  const value = valueOf(stand, drawn);
  if (value === '' && column === 'token' && row.origin === null && !migration.complete) return undefined;
  const same = value === row[column];
  const kept = column === 'name' ? [model.keys.get(row.id)] : model.group(row.id, migration.held);
  const rows = row.origin === null ? [model.born.get(row.id)] : kept;
  return {
    sql: `update public.account_api_keys set ${COLUMNS[column]} = $2 where id = $1 returning id::text`,
    values: [row.id, value],
    refused: refusalInSettings(stand, row, { column, value: same ? undefined : value }),
    touches: migration.complete || row.origin === null ? [row.id] : null,
    effect: () => {
      if (!same) for (const each of rows) (each as Record<Column, string | null>)[column] = value;
    },
  };
}

function removeInSettings({ model, migration }: Stand, row: AccountKeyRow): Deed {
  const gone = row.origin === null ? [] : model.group(row.id, migration.held);
  return {
    sql: 'delete from public.account_api_keys where id = $1 returning id::text',
    values: [row.id],
    refused: [],
    touches: migration.complete || row.origin === null ? [row.id] : null,
    effect: () => {
      model.born.delete(row.id);
      for (const { id } of gone) model.keys.delete(id);
    },
  };
}

function useInSettings({ model, migration }: Stand, row: AccountKeyRow, at: string): Deed {
  return {
    sql: `update public.account_api_keys set last_used_at = greatest(last_used_at, $2) where id = $1
      returning id::text`,
    values: [row.id, at],
    refused: [],
    touches: migration.complete || row.origin === null ? [row.id] : null,
    effect: () => {
      model.usedInSettings.add(row.id);
      model.latestUse = later(model.latestUse, at);
    },
  };
}

/** Of what finalize archives: outcomes as they are, of the keys that moved. */
export function freeze(model: ModelWorld, migration: ModelMigration): void {
  model.frozen = new Map([...model.judged(migration.held)].filter(([, judgement]) => isMoved(judgement)));
}
