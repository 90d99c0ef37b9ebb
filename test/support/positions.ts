import { expect } from 'chai';
import type { Position } from '../../src/ledger/states.js';
import { Scenario } from './scenario.js';
import type { Seed } from './seed.js';
import { until, waitingSessions } from './waiting.js';

/** Two accounts with a key each, and one key of a custom API. */
const SMALL: Seed = {
  accounts: ['acme', 'bolt'],
  apis: { invoices: 'store', receipts: 'store', own: 'custom of acme' },
  keys: [
    { account: 'acme', api: 'invoices' },
    { account: 'bolt', api: 'receipts' },
    { account: 'acme', api: 'own' },
  ],
};

const MIGRATED_STAGES = ['expand', 'backfill', 'harden', 'verify', 'switch'] as const;

/** `active/backfill`: a state, and the last stage that was completed. */
export const positionName = (at: Position | null): string =>
  at === null ? 'none' : `${at.state}/${at.stage ?? 'none'}`;

/** Where the ledger of this database says that the migration is. */
export async function positionOf({ db }: Scenario): Promise<string> {
  const [ledger] = await db.query(`select to_regclass('keylift.migration') is not null as present`);
  if (ledger!.present !== true) return 'none';
  const [row] = await db.query<Position & Record<string, unknown>>('select state, stage from keylift.migration');
  return positionName(row ?? null);
}

/** A database for every position that a migration can be in, each cloned from the one before it. */
export async function everyPosition(): Promise<Map<string, Scenario>> {
  const found = new Map<string, Scenario>();
  const add = async (from: Scenario, come: (scenario: Scenario) => Promise<unknown>): Promise<Scenario> => {
    const scenario = await from.copy();
    await come(scenario);
    found.set(await positionOf(scenario), scenario);
    return scenario;
  };
  const seeded = await Scenario.of(SMALL);
  found.set(await positionOf(seeded), seeded);
  const active = [await add(seeded, halfExpand)];
  for (const stage of MIGRATED_STAGES)
    active.push(await add(active.at(-1)!, (s) => s.must(`migrate --yes --until ${stage}`)));
  const switched = active.at(-1)!;
  const finalizing = await add(switched, (s) => broken(s, 'finalize --yes', 'insert on keylift.events', 'finalized'));
  const finalized = await add(switched, (s) => s.must('finalize --yes'));
  await add(finalized, (s) => s.must('finalize --purge --yes'));
  for (const archived of [finalizing, finalized])
    await add(archived, (s) => broken(s, 'rollback --yes', 'insert on public.api_keys'));
  for (const from of [...active, finalized])
    await add(from, (s) => broken(s, 'rollback --yes', 'update on keylift.switch_rule'));
  await add(switched, (s) => s.must('rollback --yes'));
  return found;
}

/** A session that writes to the keys keeps the last step of expand waiting; the operator stops the run then. */
async function halfExpand(scenario: Scenario): Promise<void> {
  const writer = await scenario.db.connect();
  await writer.query('begin; lock table public.api_keys in row exclusive mode');
  const run = scenario.start('migrate --yes --until expand');
  await until('the mirror to wait', async () => (await waitingSessions(scenario.db)) > 0);
  run.signal();
  expect((await run.ended).exitCode).to.equal(130);
  await writer.query('rollback');
}

/** Runs a command that the server fails at this event; with `kind`, only for the event of the ledger of that kind. */
async function broken(scenario: Scenario, line: string, event: string, kind?: string): Promise<void> {
  const { db } = scenario;
  await db.query(`
    create function keylift.test_fail() returns trigger language plpgsql as $$
      begin raise exception 'the server fails here'; end $$;
    create trigger zz_fail before ${event} for each row ${kind === undefined ? '' : `when (new.kind = '${kind}')`}
      execute function keylift.test_fail()`);
  expect((await scenario.run(line)).exitCode, line).to.equal(1);
  await db.query('drop function keylift.test_fail() cascade');
}
