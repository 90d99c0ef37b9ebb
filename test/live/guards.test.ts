import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { assertSound } from './sound.js';

const MOVED = 1;

/** Writes to the new table that are keylift's alone, with the SQLSTATE of the refusal. */
const REFUSED: Record<string, [sql: string, code: string]> = {
  'another id of a moved key': [`update public.account_api_keys set id = 9000 where id = ${String(MOVED)}`, '55000'],
  'another scope': [`update public.account_api_keys set scope = 'all' where id = ${String(MOVED)}`, '23514'],
  'another origin': [`update public.account_api_keys set origin_api_id = 2 where id = ${String(MOVED)}`, '55000'],
  'no origin': [`update public.account_api_keys set origin_api_id = null where id = ${String(MOVED)}`, '55000'],
  'another account of a moved key': [
    `update public.account_api_keys set account_id = 2 where id = ${String(MOVED)}`,
    '55000',
  ],
  'an origin of a native key': [
    `update public.account_api_keys set origin_api_id = 1 where origin_api_id is null`,
    '55000',
  ],
  'another id of a native key': [`update public.account_api_keys set id = 9000 where origin_api_id is null`, '55000'],
  'a row with an origin': [
    `insert into public.account_api_keys (account_id, name, token, origin_api_id) values (1, 'taken', '${tokenOf('t')}', 1)`,
    '55000',
  ],
  'a row with an id': [
    `insert into public.account_api_keys (id, account_id, name, token) values (9000, 1, 'taken', '${tokenOf('t')}')`,
    '55000',
  ],
  'a row with a scope': [
    `insert into public.account_api_keys (account_id, name, token, scope) values (1, 'taken', '${tokenOf('t')}', 'all')`,
    '23514',
  ],
};

describe('what the platform may not write to the new table', () => {
  for (const stage of ['harden', 'switch', 'finalize']) {
    describe(`after ${stage}`, () => {
      let scenario: Scenario;
      before(async () => {
        scenario = await Scenario.of(MOTLEY);
        await scenario.must(`migrate --yes --until ${stage === 'finalize' ? 'switch' : stage}`, 6);
        if (stage === 'finalize') await scenario.must('finalize --yes');
        await scenario.db.query(
          `insert into public.account_api_keys (account_id, name, token) values (1, 'native', '${tokenOf('native')}');
           create role ${scenario.db.name}_writer; grant select, insert, update, delete on public.account_api_keys to ${scenario.db.name}_writer`,
        );
      });
      after(async () => {
        await scenario.db.query(`drop owned by ${scenario.db.name}_writer; drop role ${scenario.db.name}_writer`);
        await scenario.close();
      });

      for (const [what, [sql, code]] of Object.entries(REFUSED)) {
        for (const role of ['the owner', 'a role with rights to write']) {
          it(`${what}, by ${role}, also with a setting of keylift's`, async () => {
            const as = role === 'the owner' ? '' : `set local role ${scenario.db.name}_writer;`;
            const before = await scenario.db.query('select * from public.account_api_keys order by id');
            for (const forged of ['', 'stage', 'stage:', `stage:${'0'.repeat(64)}`]) {
              const refused = await scenario.db
                .query(`begin; ${as} select set_config('keylift.writer', '${forged}', true); ${sql}; commit`)
                .then(
                  () => 'taken',
                  (error: unknown) => (error as { code?: string }).code,
                );
              expect(refused, forged).to.equal(code);
            }
            expect(await scenario.db.query('select * from public.account_api_keys order by id')).to.deep.equal(before);
          });
        }
      }
    });
  }

  it('the mark of a write is of no use in another transaction, or one level deeper', async () => {
    const scenario = await Scenario.of(MOTLEY);
    try {
      await scenario.must('migrate --yes', 6);
      const [{ mark }] = (await scenario.db.query<{ mark: string }>(
        `select keylift.own_write('mirror', 1) as mark`,
      )) as [{ mark: string }];
      await scenario.db.query(
        `begin; select set_config('keylift.writer', '${mark}', true); update public.api_keys set revoked_at = '2024-01-01' where id = 1; commit`,
      );
      await scenario.db.query(
        `begin; select set_config('keylift.writer', keylift.own_write('stage', 2), true); update public.api_keys set revoked_at = '2024-01-01' where id = 4; commit`,
      );
      await assertSound(scenario, 'all');
    } finally {
      await scenario.close();
    }
  });
});

describe('an account that changes its id', () => {
  const FOREIGN_KEYS = {
    'with a foreign key ON UPDATE CASCADE':
      'alter table public.api_keys add foreign key (account_id) references public.accounts (id) on update cascade on delete cascade',
    'without a foreign key': '',
  };
  for (const [what, ddl] of Object.entries(FOREIGN_KEYS)) {
    it(`${what}: the legacy rows change as before, and the account keys follow them`, async () => {
      const accounts = ['acme', 'globex', 'initech', 'umbrella'];
      const keys = accounts.map((account, at) => ({ id: at + 1, account, api: 'invoices', token: tokenOf(at + 1) }));
      const scenario = await Scenario.of({ accounts, apis: { invoices: 'store' }, keys });
      try {
        await scenario.db.query(ddl);
        await scenario.must('migrate --yes --until backfill');
        for (const [at, stage] of ['harden', 'switch', 'finalize'].entries()) {
          await scenario.db.query(`update public.accounts set id = ${String(900 + at)} where id = ${String(at + 1)}`);
          if (stage === 'finalize') await scenario.must('finalize --yes', 0, 3);
          else await scenario.must(`migrate --yes --until ${stage}`, 0, 6);
        }
        await scenario.must('rollback --yes');
        const followed = ddl === '' ? [1, 2, 3, 4] : [900, 901, 902, 4];
        expect(await scenario.db.query('select account_id::int from public.api_keys order by id')).to.deep.equal(
          followed.map((account_id) => ({ account_id })),
        );
      } finally {
        await scenario.close();
      }
    });
  }
});
