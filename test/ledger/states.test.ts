import { expect } from 'chai';
import { BugError } from '../../src/errors/keylift-error.js';
import { COMMANDS, refusalOf } from '../../src/ledger/allowed.js';
import {
  MIGRATION_STATES,
  reachablePositions,
  requireTransition,
  STAGES,
  TRANSITIONS,
  type Position,
} from '../../src/ledger/states.js';

const STAGES_AND_NONE = [null, ...STAGES];
const every: Position[] = MIGRATION_STATES.flatMap((state) => STAGES_AND_NONE.map((stage) => ({ state, stage })));
const nameOf = (at: Position | null): string => (at === null ? 'none' : `${at.state}/${at.stage ?? 'none'}`);

describe('the table of transitions', () => {
  it('leads to every state, and from every state but purged to another', () => {
    expect(new Set(TRANSITIONS.map(({ to }) => to))).to.deep.equal(new Set(MIGRATION_STATES));
    const left = new Set(TRANSITIONS.filter(({ from, to }) => from !== to).map(({ from }) => from));
    expect(MIGRATION_STATES.filter((state) => !left.has(state))).to.deep.equal(['purged']);
  });

  it('reaches these positions and no other', () => {
    expect(reachablePositions().map(nameOf).sort()).to.deep.equal(
      [
        'none',
        ...['none', 'expand', 'backfill', 'harden', 'verify', 'switch'].map((stage) => `active/${stage}`),
        'finalizing/switch',
        'finalized/finalize',
        'purged/finalize',
        'restoring/switch',
        'restoring/finalize',
        ...['none', ...STAGES].map((stage) => `rolling_back/${stage}`),
        'rolled_back/none',
      ].sort(),
    );
  });

  it('has no row that no position uses', () => {
    const reachable = new Set(reachablePositions().map(nameOf));
    const unused = TRANSITIONS.flatMap(({ from, stages }) =>
      stages
        .map(([before]) => (from === null ? 'none' : nameOf({ state: from, stage: before })))
        .filter((name) => !reachable.has(name)),
    );
    expect(unused).to.deep.equal([]);
  });

  it('gives each transition one reason', () => {
    const pairs = TRANSITIONS.flatMap(({ from, to, stages, reason }) => {
      expect(reason).to.match(/^[a-zA-Z].*\.$/);
      return stages.map(([before, after]) => `${from ?? 'none'}/${before ?? 'none'} → ${to}/${after ?? 'none'}`);
    });
    expect(new Set(pairs).size).to.equal(pairs.length);
  });

  it('refuses every transition that it does not have, as a bug', () => {
    const refused = (from: Position | null, to: Position): boolean => {
      try {
        requireTransition(from, to);
        return false;
      } catch (error) {
        expect(error).to.be.instanceOf(BugError).and.include({ code: 'illegal_transition', exitCode: 1 });
        return true;
      }
    };
    const allowed = TRANSITIONS.reduce((sum, { stages }) => sum + stages.length, 0);
    const pairs = [null, ...every].flatMap((from) => every.map((to) => refused(from, to)));
    expect(pairs.filter((no) => !no)).to.have.length(allowed);
    expect(refused({ state: 'purged', stage: 'finalize' }, { state: 'rolling_back', stage: 'finalize' })).to.equal(
      true,
    );
    expect(refused({ state: 'active', stage: 'backfill' }, { state: 'active', stage: 'switch' })).to.equal(true);
  });
});

describe('the table of commands', () => {
  it('answers for every command at every position', () => {
    for (const command of COMMANDS)
      for (const at of [null, ...every]) {
        const refusal = refusalOf(command, at);
        if (refusal !== null) expect(refusal, `${command} at ${nameOf(at)}`).to.include({ exitCode: 3 });
      }
  });

  it('never sends the operator to a command that the same position refuses', () => {
    const named: Record<string, (typeof COMMANDS)[number]> = {
      'keylift migrate': 'migrate',
      'keylift rollback': 'rollback',
      'keylift finalize': 'finalize',
      'keylift switch --all': 'switch',
    };
    const wrong = COMMANDS.flatMap((command) =>
      reachablePositions().flatMap((at) => {
        const hint = refusalOf(command, at)?.hint ?? '';
        // The first command of a hint is the one to run now.
        const [first] = /keylift (migrate|rollback|finalize|switch --all)/.exec(hint) ?? [];
        return first === undefined || refusalOf(named[first]!, at) === null
          ? []
          : [`${command} at ${nameOf(at)}: ${hint}`];
      }),
    );
    expect(wrong).to.deep.equal([]);
  });
});
