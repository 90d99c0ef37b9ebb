import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { lastWord, type Counts } from './verdict.js';

const KEYS = 600;

interface Fault {
  /** The step that meets it, and what comes before. */
  command: string;
  before: readonly string[];
  table: string;
  event: 'insert' | 'update' | 'delete';
  /** Not at the statement: when its transaction commits. */
  atCommit?: true;
  /** Where the migration cannot be gone on with as it stands. */
  after?: string;
}

const FAULTS: Record<string, Fault> = {
  'a batch': {
    before: ['migrate --yes --until expand'],
    command: 'migrate --yes --batch-size 100',
    table: 'public.account_api_keys',
    event: 'insert',
  },
  'the end of a batch': {
    before: ['migrate --yes --until expand'],
    command: 'migrate --yes --batch-size 100',
    table: 'keylift.batches',
    event: 'update',
  },
  'the commit of a batch': {
    before: ['migrate --yes --until expand'],
    command: 'migrate --yes --batch-size 100',
    table: 'keylift.batches',
    event: 'update',
    atCommit: true,
  },
  'a page of the archive': {
    before: ['migrate --yes'],
    command: 'finalize --yes',
    table: 'public.api_keys',
    event: 'delete',
    after: 'rollback --yes',
  },
  'a page that comes back': {
    before: ['migrate --yes', 'finalize --yes'],
    command: 'rollback --yes',
    table: 'public.api_keys',
    event: 'insert',
  },
  'a page of account keys taken out': {
    before: ['migrate --yes'],
    command: 'rollback --yes',
    table: 'public.account_api_keys',
    event: 'delete',
  },
  'the proof': {
    before: ['migrate --yes --until harden'],
    command: 'migrate --yes',
    table: 'keylift.proof_duplicates',
    event: 'delete',
  },
  'the switch': {
    before: ['migrate --yes --until verify'],
    command: 'switch --all --yes',
    table: 'keylift.switch_rule',
    event: 'update',
  },
  'the commit of the switch': {
    before: ['migrate --yes --until verify'],
    command: 'switch --all --yes',
    table: 'keylift.switch_rule',
    event: 'update',
    atCommit: true,
  },
};

/**
 * What passes by itself, and what a person has to look after: then the command ends with 5, and run again it goes on.
 */
const PASSING = ['40001', '40P01', '55P03'];
const LASTING = ['53200', '53300', '57014'];
/** Where nobody else writes, an error that does not pass is not waited out for ever. */
const BOUNDED = ['the proof', 'the switch', 'the commit of the switch'];

/** The server says this so many times and then no more; what a sequence counts is not rolled back. */
const inject = ({ table, event, atCommit }: Fault, { state, times }: { state: string; times: number }): string => `
  create sequence keylift.faults;
  create function keylift.fault() returns trigger language plpgsql as $$ begin
    if nextval('keylift.faults') <= ${String(times)} then raise exception 'the server says so'
      using errcode = '${state}'; end if;
    return null; end $$;
  ${
    atCommit === true
      ? `create constraint trigger aa_fault after ${event} on ${table} deferrable initially deferred for each row`
      : `create trigger aa_fault before ${event} on ${table} for each statement`
  } execute function keylift.fault()`;

describe('errors that the server tells keylift', function () {
  this.timeout(120_000);
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
  });
  afterEach(() => scenario.close());

  const met = async (): Promise<number> =>
    Number((await scenario.db.query<{ n: string }>('select last_value as n from keylift.faults'))[0]!.n);

  const ended = async ({ after }: Fault, counts: Counts = {}): Promise<void> => {
    await scenario.db.query('drop function keylift.fault() cascade');
    if (after !== undefined) await scenario.must(after);
    await lastWord(scenario, counts);
  };

  for (const [place, fault] of Object.entries(FAULTS)) {
    for (const state of PASSING) {
      it(`${state} in ${place}`, async () => {
        for (const line of fault.before) await scenario.must(line);
        await scenario.db.query(inject(fault, { state, times: 3 }));
        await scenario.must(fault.command);
        expect(await met(), 'errors met').to.be.at.least(3);
        await ended(fault, { [`times ${state}`]: 3 });
      });
    }
  }

  for (const place of BOUNDED) {
    it(`40001 in ${place}, every time: ends with 5, and goes on`, async () => {
      const fault = FAULTS[place]!;
      for (const line of fault.before) await scenario.must(line);
      await scenario.db.query(inject(fault, { state: '40001', times: 1_000 }));
      const { stderr } = await scenario.must(fault.command, 5);
      expect(stderr)
        .to.include('sqlstate: 40001')
        .and.not.match(/\n +at /);
      expect(await met(), 'tries').to.equal(5);
      await ended(fault, { tries: 5 });
    });
  }

  for (const [place, fault] of Object.entries(FAULTS)) {
    for (const state of place.endsWith('batch') ? LASTING.slice(0, 2) : LASTING) {
      it(`${state} in ${place}: ends with 5, and goes on`, async () => {
        for (const line of fault.before) await scenario.must(line);
        await scenario.db.query(inject(fault, { state, times: 1 }));
        const { stderr } = await scenario.must(fault.command, 5);
        expect(stderr)
          .to.include(`sqlstate: ${state}`)
          .and.not.match(/\n +at /);
        await scenario.must(fault.command);
        await ended(fault);
      });
    }
  }
});
