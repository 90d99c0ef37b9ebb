import { after, afterEach } from 'mocha';
import { Scenario } from '../../support/scenario.js';
import { tokenOf, type Seed } from '../../support/seed.js';

export const DAY = '2025-01-01 00:00:00.000001+00';

/** Key 30 lies inside the one range there is. */
export const SEED: Seed = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
  keys: [
    { id: 10, account: 'acme', api: 'invoices' },
    { id: 20, account: 'acme', api: 'receipts' },
    { id: 30, account: 'acme', api: 'invoices' },
    { id: 40, account: 'bert', api: 'receipts', name: null },
    { id: 50, account: 'acme', api: 'forms' },
    { id: 60, account: 'bert', api: 'invoices', token: tokenOf('twins') },
    { id: 70, account: 'bert', api: 'receipts', token: tokenOf('twins') },
    { id: 80, account: 'bert', api: 'invoices', revoked: DAY },
    { id: 90, account: 'bert', api: 'gone' },
  ],
};

/** Changes by the platform's old release. */
export const CHANGES: Record<string, string> = {
  delete: `delete from public.api_keys where id = 30`,
  revocation: `update public.api_keys set revoked_at = '${DAY}' where id = 30`,
  rename: `update public.api_keys set name = 'renamed' where id = 30`,
  'rotation of a token': `update public.api_keys set token = '${tokenOf('rotated')}' where id = 30`,
  'swap of two tokens': `update public.api_keys set token = case id when 30 then '${tokenOf(20)}' else '${tokenOf(30)}'
    end where id in (20, 30)`,
  'step to a custom API': `update public.api_keys set api_id = 3 where id = 30`,
  'step into the store': `update public.api_keys set api_id = 2 where id = 50`,
  'change of account': `update public.api_keys set account_id = 2 where id = 30`,
  'new id': `update public.api_keys set id = 31 where id = 30`,
  'insert inside the range': `insert into public.api_keys (id, account_id, api_id, name, token)
    values (35, 1, 2, 'new', '${tokenOf('new')}')`,
  'insert ahead of all ranges': `insert into public.api_keys (id, account_id, api_id, name, token)
    values (1000, 1, 2, 'new', '${tokenOf('new')}')`,
  'insert of a twin': `insert into public.api_keys (id, account_id, api_id, name, token)
    values (1000, 1, 2, 'twin', '${tokenOf(30)}')`,
  "insert of another account's twin": `insert into public.api_keys (id, account_id, api_id, name, token)
    values (1000, 2, 2, 'twin', '${tokenOf(30)}')`,
  'revocation of one twin': `update public.api_keys set revoked_at = '${DAY}' where id = 70`,
  'deletion of the twin that is kept': `delete from public.api_keys where id = 60`,
  'mending of an exception': `update public.api_keys set api_id = 1 where id = 90`,
};

/** Where one point has shown every change, these show the others. */
export const FEW = ['delete', 'revocation', 'insert inside the range', 'revocation of one twin'];

/** Makes a scenario to begin with; it is closed after its test. */
export type Start = () => Promise<Scenario>;

/**
 * Registers the hooks of a file of races: what each start begins from is made once, when it is first asked for.
 *
 * @returns the seed as it is, expanded, and migrated to the end
 */
export function useStarts(): { seeded: Start; expanded: Start; migrated: Start } {
  const templates = new Map<string, Promise<Scenario>>();
  const begun: Scenario[] = [];
  const startAt =
    (line: string | null): Start =>
    async () => {
      const template = templates.get(line ?? '') ?? prepared(line);
      templates.set(line ?? '', template);
      const scenario = await (await template).copy();
      begun.push(scenario);
      return scenario;
    };
  afterEach(async () => {
    await Promise.all(begun.splice(0).map((scenario) => scenario.close()));
  });
  after(async () => {
    for (const template of templates.values()) await (await template).close();
  });
  return {
    seeded: startAt(null),
    expanded: startAt('migrate --yes --until expand'),
    migrated: startAt('migrate --yes'),
  };
}

async function prepared(line: string | null): Promise<Scenario> {
  const scenario = await Scenario.of(SEED);
  if (line !== null) await scenario.must(line, 0, 6);
  return scenario;
}
