import { expect } from 'chai';
import type { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { until, waitingSessions } from '../support/waiting.js';
import { compileProgram } from './compile.js';
import { Lane } from './lane.js';
import { startVictim } from './victim.js';

const AFTER_MIRROR_OFF = '14_mirror_off up: after commit';

describe('keys that get their account key behind the page that archives the others', function () {
  this.timeout(120_000);
  const compiled = compileProgram();
  let lane: Lane;
  let scenario: Scenario;
  before(async () => {
    lane = await Lane.open(compiled);
  });
  after(async () => {
    await lane.close();
    compiled.remove();
  });
  beforeEach(async () => {
    scenario = await lane.ground({ base: 'switched' });
  });
  afterEach(() => scenario.close());

  /**
   * Runs finalize, has `meanwhile` happen between its pages and its last step, and stops it where the mirror has just
   * gone.
   */
  const stoppedWithoutMirror = async (meanwhile: () => Promise<unknown>) => {
    const reader = await scenario.db.connect();
    await reader.query(`begin;
      select from public.account_api_keys limit 1`); // keeps the mirror's triggers where they are
    const victim = startVictim(compiled, {
      words: lane.words('finalize --yes'),
      url: scenario.db.url,
      failpoint: AFTER_MIRROR_OFF,
    });
    await until(
      'it to wait for the reader',
      async () => (await waitingSessions(scenario.db)) > 0 && (await archived()).length > 0,
    );
    await meanwhile();
    await reader.query('commit');
    await victim.met;
    return victim;
  };
  const archived = async (): Promise<string[]> =>
    (
      await scenario.db.query<{ exists: boolean }>(`select to_regclass('keylift.archived_keys') is not null as exists`)
    )[0]!.exists
      ? (await scenario.db.query<{ id: string }>('select id::text from keylift.archived_keys order by id')).map(
          ({ id }) => id,
        )
      : [];

  it('leave with the mirror, and miss no change that follows', async () => {
    // Keys 31 and 32 share a token, and stay because of that, until one of them gets another.
    const victim = await stoppedWithoutMirror(() =>
      scenario.db.query(`update public.api_keys set token = 'another one' where id = 31`),
    );
    expect(await archived()).to.include.members(['31', '32']);
    expect(await scenario.db.query(`select id from public.api_keys where id in (31, 32)`)).to.deep.equal([]);
    await scenario.db.query(`update public.api_keys set name = 'from the old release' where id in (31, 32)`);
    await scenario.db.query(
      `update public.account_api_keys set revoked_at = now(), name = 'from Settings' where id in (31, 32)`,
    );
    victim.process.kill('SIGKILL');
    await victim.exited;
    expect((await lane.run(scenario, 'finalize --yes')).exitCode).to.equal(0);
    expect((await lane.run(scenario, 'verify')).exitCode).to.equal(0);
    const kept = await scenario.db.query<{ id: string }>(
      `select id::text, name, token, revoked_at is not null as revoked from keylift.archived_keys where id in (31, 32)
        order by id`,
    );
    expect(kept).to.deep.equal([
      { id: '31', name: 'from Settings', token: 'another one', revoked: true },
      { id: '32', name: 'from Settings', token: tokenOf('shared'), revoked: true },
    ]);
    expect((await lane.run(scenario, 'rollback --yes')).exitCode).to.equal(0);
    expect(
      await scenario.db.query(
        'select id::text, revoked_at is not null as revoked from public.api_keys where id in (31, 32) order by id',
      ),
    ).to.deep.equal([
      { id: '31', revoked: true },
      { id: '32', revoked: true },
    ]);
  });

  it("leave with it, too, where a trigger of the platform's names the API after the guard", async () => {
    await scenario.db.query(`
      create function public.default_api() returns trigger language plpgsql as $$
        begin new.api_id := coalesce(new.api_id, 2); return new; end $$;
      create trigger zz_default before insert on public.api_keys for each row execute function public.default_api()`);
    const victim = await stoppedWithoutMirror(() =>
      scenario.db.query(
        `insert into public.api_keys (id, account_id, api_id, name, token) values (4002, 1, null, 'made late',
          '${tokenOf('made late')}')`,
      ),
    );
    expect(await archived()).to.include('4002');
    expect(await scenario.db.query('select from public.api_keys where id = 4002')).to.deep.equal([]);
    victim.process.kill('SIGKILL');
    await victim.exited;
    expect((await lane.run(scenario, 'finalize --yes')).exitCode).to.equal(0);
    expect((await lane.run(scenario, 'verify')).exitCode).to.equal(0);
  });

  it('are not taken away from rows of another table that have come to point at them', async () => {
    await scenario.db.query('create table public.calls (key_id bigint references public.api_keys on delete cascade)');
    const victim = await stoppedWithoutMirror(() =>
      scenario.db.query(`
      insert into public.calls values (31); update public.api_keys set token = 'another one' where id = 31`),
    ).catch((error: unknown) => error as Error);
    expect(String(victim)).to.include('ended with 3').and.include('public.calls').and.include('foreign_keys_point');
    expect(await scenario.db.query('select key_id::text from public.calls')).to.deep.equal([{ key_id: '31' }]);
  });
});
