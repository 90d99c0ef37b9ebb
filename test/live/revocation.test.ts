import { expect } from 'chai';
import type pg from 'pg';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';

const KEYS = 3_000;
const STORE = ['1', '2', '3'];

/** One key that is alive when the test begins, and what became of it. */
interface Known {
  token: string;
  /** Its own API. */
  api: string;
  state: 'alive' | 'being revoked' | 'revoked';
}

/** Every way through the stages and back, each under load. */
const CYCLE = [
  'migrate --yes --until verify --batch-size 200',
  'switch --cohort 30% --yes',
  'switch --cohort 60% --yes',
  'switch --back --yes',
  'migrate --yes',
  'finalize --yes',
  'rollback --yes',
  'migrate --yes --batch-size 200',
];

describe('a revocation, under load', () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
    // authorize stands from expand on; the cycle begins where a gateway may call it.
    await scenario.must('migrate --yes --until expand');
  });
  after(() => scenario.close());

  it('shuts at once and for good in every stage, and nothing else ever shuts', async function () {
    const known: Known[] = (
      await scenario.db.query<{ token: string; api: string }>(
        `select token, api_id::text as api from public.api_keys where revoked_at is null order by id`,
      )
    ).map((key) => ({ ...key, state: 'alive' }));
    const load = new Load(scenario, known);
    const running = [load.poll(), load.poll(), load.revoke('api_keys'), load.revoke('account_api_keys')];
    const began = performance.now();
    try {
      for (const command of CYCLE) await scenario.must(command);
    } finally {
      load.over = true;
      await Promise.all(running);
    }
    const { polls, opened, shut, revoked, turnedAway } = load;
    process.stdout.write(
      `      ${String(polls)} polls, ${String(revoked.api_keys)} ` +
        `+ ${String(revoked.account_api_keys)} revocations ` +
        `(old release + Settings, ${String(turnedAway)} ` +
        `tried again) in ${((performance.now() - began) / 1000).toFixed(1)} ` +
        `s: ${String(opened.length)} revoked keys opened, ${String(shut.length)} living keys were shut\n`,
    );
    expect(opened.slice(0, 5), 'revoked keys that opened').to.deep.equal([]);
    expect(shut.slice(0, 5), 'living keys that were shut').to.deep.equal([]);
    expect(load.errors.slice(0, 5), 'errors').to.deep.equal([]);
    expect(polls).to.be.greaterThan(1_000);
    expect(revoked.api_keys).to.be.greaterThan(20);
    expect(revoked.account_api_keys).to.be.greaterThan(20);
    await scenario.must('verify');
    await scenario.everyPair('all');
  }).timeout(120_000);
});

class Load {
  over = false;
  polls = 0;
  turnedAway = 0;
  readonly opened: unknown[] = [];
  readonly shut: unknown[] = [];
  readonly errors: unknown[] = [];
  readonly revoked = { api_keys: 0, account_api_keys: 0 };
  private next = 0;

  constructor(
    private readonly scenario: Scenario,
    private readonly known: Known[],
  ) {}

  /** A gateway: asks for what is revoked on every API, and for what lives on its own. */
  async poll(): Promise<void> {
    const client = await this.scenario.db.connect();
    while (!this.over) {
      const key = Math.random() < 0.5 ? this.pick('revoked') : this.pick('alive');
      if (key === undefined) {
        await new Promise(setImmediate);
        continue;
      }
      const before = key.state;
      const api = before === 'revoked' ? [...STORE, '4'][Math.floor(Math.random() * 4)]! : key.api;
      try {
        const { rows } = await client.query<{ key_id: string; source: string }>(
          'select key_id::text, source from keylift.authorize($1, $2)',
          [key.token, api],
        );
        this.polls += 1;
        if (before === 'revoked' && rows.length > 0) this.opened.push({ api, ...rows[0] });
        // A revocation may have begun while we asked.
        if (before === 'alive' && key.state === 'alive' && rows.length !== 1) this.shut.push({ token: key.token, api });
      } catch (error) {
        this.errors.push(error);
        return;
      }
    }
  }

  /** A release of the platform that revokes one key after another in its table. */
  async revoke(table: 'api_keys' | 'account_api_keys'): Promise<void> {
    const client = await this.scenario.db.connect();
    while (!this.over) {
      const key = this.known[this.next++];
      if (key === undefined || this.next > this.known.length / 2) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      key.state = 'being revoked';
      key.state = (await this.revokeIn(client, table, key.token)) ? 'revoked' : 'alive';
      if (key.state === 'revoked') this.revoked[table] += 1;
      await new Promise((resolve) => setTimeout(resolve, 5)); // the pace of a platform, not a wait for anything
    }
  }

  /** False when the key is not in this table now: then nothing was revoked, and the platform sees that. */
  private async revokeIn(client: pg.Client, table: string, token: string): Promise<boolean> {
    for (;;) {
      try {
        const { rowCount } = await client.query(
          `update public.${table} set revoked_at = now() where token = $1 and revoked_at is null`,
          [token],
        );
        return (rowCount ?? 0) > 0;
      } catch (error) {
        const { code } = error as { code: string };
        // Until the mirror is on, Settings is told that the key is being moved; nothing was revoked.
        if (code === '55000' && table === 'account_api_keys') return false;
        if (!['40P01', '40001'].includes(code)) {
          this.errors.push(error);
          return false;
        }
        this.turnedAway += 1;
      }
    }
  }

  private pick(state: Known['state']): Known | undefined {
    for (let tries = 0; tries < 50; tries += 1) {
      // Revocations go from the front: most of what is revoked lies there.
      const upto = state === 'revoked' ? Math.min(this.next, this.known.length) : this.known.length;
      const key = this.known[Math.floor(Math.random() * upto)];
      if (key?.state === state) return key;
    }
    return undefined;
  }
}
