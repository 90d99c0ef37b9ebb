import { expect } from 'chai';
import { COMMANDS, refusalOf, type Command } from '../../src/ledger/allowed.js';
import { reachablePositions } from '../../src/ledger/states.js';
import { everyPosition, positionName, positionOf } from '../support/positions.js';
import type { Scenario } from '../support/scenario.js';

/** How each command of the table is called, and how it may end where it is allowed. */
const CALLS: Record<Command, { line: string; ends: readonly number[] }> = {
  migrate: { line: 'migrate --yes', ends: [0] },
  // Before backfill, and half way back, the proof finds differences.
  verify: { line: 'verify', ends: [0, 4] },
  repair: { line: 'repair --yes', ends: [0, 4] },
  switch: { line: 'switch --all --yes', ends: [0] },
  'switch --back': { line: 'switch --back --yes', ends: [0] },
  finalize: { line: 'finalize --yes', ends: [0] },
  'finalize --purge': { line: 'finalize --purge --yes', ends: [0] },
  rollback: { line: 'rollback --yes', ends: [0] },
  'rollback --accounts': { line: 'rollback --accounts ACCOUNTS --yes', ends: [0] },
  uninstall: { line: 'uninstall --yes', ends: [0] },
  'pause, resume, tune': { line: 'resume', ends: [0] },
  report: { line: 'report REPORT', ends: [0] },
  'plan --rehearse': { line: 'plan --rehearse', ends: [0] },
};

/** These leave the position as it is: they need no copy of the database. */
const STAYING: readonly Command[] = ['verify', 'pause, resume, tune', 'report', 'plan --rehearse'];

describe('the table of commands, on a database', () => {
  let positions: Map<string, Scenario>;
  before(async function () {
    this.timeout(180_000);
    positions = await everyPosition();
  });
  after(async () => {
    for (const scenario of positions.values()) await scenario.close();
  });

  const allowed = async (scenario: Scenario, command: Command): Promise<void> => {
    const { exitCode, stderr } = await call(scenario, command);
    expect(CALLS[command].ends, `${command}\n${stderr}`).to.include(exitCode);
  };
  const call = async (scenario: Scenario, command: Command) =>
    scenario.run(
      CALLS[command].line
        .replace('ACCOUNTS', await scenario.file('accounts.csv', 'account_id\n1\n'))
        .replace('REPORT', await scenario.file('report.html', '')),
    );

  it('has a database for every position', () => {
    expect([...positions.keys()].sort()).to.deep.equal(reachablePositions().map(positionName).sort());
  });

  for (const at of reachablePositions()) {
    const name = positionName(at);
    it(`holds at ${name}`, async function () {
      this.timeout(120_000);
      const scenario = positions.get(name)!;
      const refusals = COMMANDS.map((command) => ({ command, refusal: refusalOf(command, at) }));
      for (const { command, refusal } of refusals) {
        if (refusal === null) continue;
        const { exitCode, stderr } = await call(scenario, command);
        expect([command, exitCode], stderr).to.deep.equal([command, 3]);
        expect(stderr).to.include(`(code ${refusal.code})`).and.include(refusal.message).and.include(refusal.hint);
      }
      const rest = refusals.flatMap(({ command, refusal }) => (refusal === null ? [command] : []));
      for (const command of rest.filter((one) => STAYING.includes(one))) await allowed(scenario, command);
      expect(await positionOf(scenario), 'after all that moves nothing').to.equal(name);
      for (const command of rest.filter((one) => !STAYING.includes(one))) {
        const copy = await scenario.copy();
        await allowed(copy, command).finally(() => copy.close());
      }
    });
  }
});
