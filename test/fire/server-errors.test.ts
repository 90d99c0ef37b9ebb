import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { lastWord } from './verdict.js';

const KEYS = 600;

interface Fault {
  /** The step that meets it, and what comes before. */
  command: string;
  before: readonly string[];
  table: string;
  event: 'insert' | 'update' | 'delete';
}

const FAULTS: Record<string, Fault> = {
  'a batch': { before: ['migrate --yes --until expand'], command: 'migrate --yes --batch-size 100', table: 'public.account_api_keys', event: 'insert' },
  'the end of a batch': { before: ['migrate --yes --until expand'], command: 'migrate --yes --batch-size 100', table: 'keylift.batches', event: 'update' },
  'a page of the archive': { before: ['migrate --yes'], command: 'finalize --yes', table: 'public.api_keys', event: 'delete' },
  'a page that comes back': { before: ['migrate --yes', 'finalize --yes'], command: 'rollback --yes', table: 'public.api_keys', event: 'insert' },
  'a page of account keys taken out': { before: ['migrate --yes'], command: 'rollback --yes', table: 'public.account_api_keys', event: 'delete' },
  'the proof': { before: ['migrate --yes --until harden'], command: 'migrate --yes', table: 'keylift.proof_twins', event: 'delete' },
  'the switch': { before: ['migrate --yes --until verify'], command: 'switch --all --yes', table: 'keylift.switch_rule', event: 'update' },
};

/** What passes by itself, and what a person has to look after: then the command ends with 5, and run again it goes on. */
const PASSING = ['40001', '40P01', '55P03'];
const LASTING = ['53200', '53300', '57014'];
/** Where nobody else writes, an error that passes is not waited out either. */
const NOT_RETRIED = new Set(['the proof', 'the switch']);

/** The server says this so many times and then no more; what a sequence counts is not rolled back. */
const inject = ({ table, event }: Fault, { state, times }: { state: string; times: number }): string => `
  create sequence public.faults;
  create function public.fault() returns trigger language plpgsql as $$ begin
    if nextval('public.faults') <= ${String(times)} then raise exception 'the server says so' using errcode = '${state}'; end if;
    return null; end $$;
  create trigger aa_fault before ${event} on ${table} for each statement execute function public.fault()`;

describe('errors that the server tells keylift', function () {
  this.timeout(120_000);
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
  });
  afterEach(() => scenario.close());

  const met = async (): Promise<number> => Number((await scenario.db.query<{ n: string }>('select last_value as n from public.faults'))[0]!.n);

  for (const [place, fault] of Object.entries(FAULTS)) {
    for (const state of PASSING) {
      it(`${state} in ${place}`, async () => {
        for (const line of fault.before) await scenario.must(line);
        await scenario.db.query(inject(fault, { state, times: 3 }));
        let runs = 1;
        if (NOT_RETRIED.has(place)) for (; (await scenario.run(fault.command)).exitCode === 5; runs += 1) expect(runs).to.be.at.most(3);
        else await scenario.must(fault.command);
        expect(await met(), 'errors met').to.be.at.least(3);
        await scenario.db.query('drop function public.fault() cascade');
        await lastWord(scenario, { [`times ${state}`]: 3, runs });
      });
    }
  }

  for (const [place, fault] of Object.entries(FAULTS)) {
    for (const state of place.endsWith('batch') ? LASTING.slice(0, 2) : LASTING) {
      it(`${state} in ${place}: ends with 5, and goes on`, async () => {
        for (const line of fault.before) await scenario.must(line);
        await scenario.db.query(inject(fault, { state, times: 1 }));
        const { stderr } = await scenario.must(fault.command, 5);
        expect(stderr).to.include(`sqlstate: ${state}`).and.not.match(/\n +at /);
        await scenario.must(fault.command);
        await scenario.db.query('drop function public.fault() cascade');
        await lastWord(scenario);
      });
    }
  }
});
