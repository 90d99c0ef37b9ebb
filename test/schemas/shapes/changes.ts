import { expect } from 'chai';
import { judge } from '../../support/rules.js';
import type { ShapeWorld } from './world.js';

interface Row {
  id: string;
  token: string | null;
}

/** Moved keys that share their token with nobody, and are alive, in the model's order. */
async function ordinaryKeys(shop: ShapeWorld): Promise<Row[]> {
  const world = await shop.world();
  const judged = judge(world);
  const tokens = world.keys.map(({ token }) => token);
  return world.keys.filter(
    ({ id, token, alive }) =>
      alive && judged.get(id)?.outcome === 'move' && tokens.filter((other) => other === token).length === 1,
  );
}

/** The old release and Settings at work: whatever the shape's columns allow, each statement committed by itself. */
export async function changeBoth(shop: ShapeWorld, { settings = true }: { settings?: boolean } = {}): Promise<void> {
  shop.rounds += 1;
  const keys = await ordinaryKeys(shop);
  expect(keys.length, 'keys to change').to.be.greaterThan(3);
  let at = 0;
  const next = (): string => keys[at++ % keys.length]!.id;
  await changeLegacy(shop, next);
  if (settings) await changeSettings(shop, next);
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

async function changeLegacy(shop: ShapeWorld, next: () => string): Promise<void> {
  const {
    scenario: { db },
    shape,
  } = shop;
  const row = (id: string): string =>
    `${shape.idText?.(`(${shop.id})::text`) ?? `(${shop.id})::text`} = ${literal(id)}`;
  const set = async (value: string, to: string): Promise<void> => {
    const column = shop.column(value);
    if (column !== null) await db.query(`update ${shop.keys} set ${column} = ${to} where ${row(next())}`);
  };
  const token = (word: string): string =>
    shape.token?.(`${word} ${String(shop.rounds)}`) ?? literal(`sécret+${word} ${String(shop.rounds)}`);
  await set('name', literal(`renamed ${String(shop.rounds)}`));
  await set('revokedAt', 'now()');
  await set('expiresAt', `'2020-01-01 00:00:00'`);
  await set('lastUsedAt', `now()`);
  await set('token', token('rotated'));
  await insertCopy(shop, { of: row(next()), token: token('inserted') });
  if (shape.uniqueTokens !== true) await insertCopy(shop, { of: row(next()) });
  await set('api', `(select id from (${shape.plain.apis}) p where kind = 'custom' limit 1)`);
  const other = await db.query<{ id: string }>(
    `select id::text from (${shape.plain.accounts}) p order by 1 desc limit 1`,
  );
  await set('account', literal(other[0]!.id));
  await db.query(`delete from ${shop.keys} where ${row(next())}`);
}

/** A new row like another one; without a token it is that one's twin. Columns with a default of their own take it. */
async function insertCopy(shop: ShapeWorld, { of, token }: { of: string; token?: string }): Promise<void> {
  const { db } = shop.scenario;
  const columns = await db.query<{ name: string; own: boolean }>(`
    select quote_ident(attname) as name, attgenerated <> '' or attidentity <> '' or (atthasdef
      and attname not in ('mode', 'active')) as own
    from pg_attribute where attrelid = ${literal(shop.keys)}::regclass and attnum > 0 and not attisdropped`);
  const value = (name: string): string => {
    if (name === shop.id.replace(/^"(\w+)"$/, '$1') || name === shop.id) return shop.shape.newId ?? name;
    return name === shop.column('token')?.replace(/^"([a-z_]+)"$/, '$1') || name === shop.column('token')
      ? (token ?? name)
      : name;
  };
  const copied = columns.filter(({ own }) => !own).map(({ name }) => name);
  await db.query(
    `insert into ${shop.keys} (${copied.join(', ')}) select ${copied.map(value).join(', ')} from ${shop.keys}
      where ${of}`,
  );
}

/** Changes in Settings; where the legacy table has no column to keep one in, it is refused with the reason. */
async function changeSettings(shop: ShapeWorld, next: () => string): Promise<void> {
  const {
    scenario: { db },
    shape,
  } = shop;
  const row = (id: string): string => `${shape.idText?.('(t.id)::text') ?? '(t.id)::text'} = ${literal(id)}`;
  const token = (word: string): string =>
    shape.token?.(`${word} ${String(shop.rounds)}`) ?? literal(`sécret+${word} ${String(shop.rounds)}`);
  const set = async (value: string, column: string, to: string): Promise<void> => {
    const statement = `update ${shop.target} t set ${column} = ${to} where ${row(next())}`;
    const refused =
      value !== 'lastUsedAt' && shop.column(value) === null && !(value === 'name' && shop.mapped('name') === null);
    if (!refused) {
      await db.query(statement);
      return;
    }
    const said: unknown = await db.query(statement).catch((error: unknown) => error);
    expect(said, statement).to.be.instanceOf(Error).with.property('code', '55000');
  };
  await set('name', 'name', literal(`renamed in Settings ${String(shop.rounds)}`));
  await set('revokedAt', 'revoked_at', 'now()');
  await set('expiresAt', 'expires_at', `'2020-01-01 00:00:00'`);
  await set('lastUsedAt', 'last_used_at', 'now()');
  await set('token', 'token', token('rotated in Settings'));
  await db.query(`delete from ${shop.target} t where ${row(next())}`);
  const account = (
    await db.query<{ account: string }>(`select account_id::text as account from ${shop.target} limit 1`)
  )[0]!.account;
  const name = shop.mapped('name') === null ? 'null' : `'born'`;
  await db.query(
    `insert into ${shop.target} (account_id, name, token) values (${literal(account)}, ${name}, ${token('born')})`,
  );
}
