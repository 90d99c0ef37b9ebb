import type { Ended } from '../support/scenario.js';
import { gateAt, until as waitUntil, waitingSessions } from '../support/waiting.js';
import type { HoldsDraw, StepDraw, Until } from './draws.js';
import type { Ground, Settled } from './ground.js';
import { STAGES } from './migration.js';
import { isMoved } from './model.js';
import { listedFaults, planFaults, verifyFaults } from './answers.js';
import { freeze, inTable } from './writes.js';

/** The platform's writes that belong to a step: all of its slot, or those of the old release alone. */
export type Writes = () => Promise<void>;

/** What a step leaves behind: does last use stand in both tables now? */
export interface Done {
  caughtUp: boolean;
}

const LAGGING: Done = { caughtUp: false };

/** Runs one step of the operator, compares what it says with the model, and lets the model follow. */
export async function operate(ground: Ground, step: StepDraw, writes: Writes): Promise<Done> {
  switch (step.kind) {
    case 'migrate':
      return migrate(ground, step, isAlongside(step) ? writes : undefined);
    case 'paused':
      return paused(ground, step.until, writes);
    case 'interrupted':
      return interrupted(ground, step, writes);
    case 'switch':
      return turn(ground, step, isAlongside(step) ? writes : undefined);
    case 'rollback':
      return step.who === 'all' ? rollback(ground) : rollbackListed(ground);
    case 'finalize':
      return finalize(ground);
    case 'plan':
      return plan(ground);
    case 'verify':
      return verify(ground, isAlongside(step) ? writes : undefined);
  }
}

/** Does the step make the writes of its slot itself, while its command runs? */
export const writesItself = (step: StepDraw | undefined): 'all' | 'old release' | 'none' => {
  if (step === undefined) return 'none';
  if (step.kind === 'paused' || step.kind === 'interrupted') return 'all';
  return isAlongside(step) ? 'old release' : 'none';
};

/** A list of holds names keys; they must be there when it is read. */
const isAlongside = (step: StepDraw): boolean =>
  'alongside' in step && step.alongside && !(step.kind === 'migrate' && step.holds === 'set');

/** Runs a command, beside the platform's writes where there are any, and notes an exit code that must not be. */
async function command(ground: Ground, line: string, codes: readonly number[], beside?: Writes): Promise<Ended> {
  const running = ground.scenario.start(line);
  await beside?.();
  const ended = await running.ended;
  if (!codes.includes(ended.exitCode))
    ground.faults.push({
      world: null,
      what: `exit code of ${line}`,
      expected: codes,
      found: `${String(ended.exitCode)} ${ended.stdout}${ended.stderr}`,
    });
  return ended;
}

/** Notes what an answer under --json says otherwise than the model. */
function expectAnswer(ground: Ground, ended: Ended, expected: Record<string, unknown>): void {
  if (ground.faults.length > 0) return;
  const answer = ended.json();
  for (const [field, value] of Object.entries(expected)) {
    if (JSON.stringify(answer[field]) !== JSON.stringify(value))
      ground.faults.push({ world: null, what: `the answer's ${field}`, expected: value, found: answer[field] });
  }
}

/** How many keys have this outcome, over all worlds. */
function count(ground: Ground, outcome: string): number {
  return ground.worlds
    .flatMap(({ model }) => [...model.judged(ground.migration.held).values()])
    .filter((judgement) => judgement.outcome === outcome).length;
}

async function migrate(
  ground: Ground,
  step: { until: Until; holds: HoldsDraw; batchSize: number },
  beside?: Writes,
): Promise<Done> {
  const { migration } = ground;
  const line = `migrate --yes --json --until ${step.until} --batch-size ${String(step.batchSize)}`;
  if (migration.state === 'finalized') {
    await command(ground, line, [3], beside);
    return LAGGING;
  }
  const holds = step.holds === 'keep' ? undefined : listHolds(ground, step.holds);
  const file =
    holds &&
    (await ground.scenario.file(
      'holds.csv',
      ['account_id,key_id', ...holds.accountIds.map((id) => `${id},`), ...holds.keyIds.map((id) => `,${id}`), ''].join(
        '\n',
      ),
    ));
  const ended = await command(ground, file === undefined ? line : `${line} --holds ${file}`, [0, 6], beside);
  const switches = step.until === 'switch' && migration.stage !== 'switch';
  reach(ground, step.until);
  if (holds !== undefined) migration.holds = holds;
  if (switches) migration.sayShare(100, true);
  if (!migration.complete || beside !== undefined) return LAGGING;
  const exceptions = count(ground, 'exception');
  if (ended.exitCode !== (exceptions > 0 ? 6 : 0))
    ground.faults.push({ world: null, what: 'exit code for exceptions', expected: exceptions, found: ended.exitCode });
  expectAnswer(ground, ended, {
    stage: migration.stage,
    moved: count(ground, 'move'),
    merged: count(ground, 'merge'),
    exceptions,
  });
  return { caughtUp: STAGES.indexOf(step.until) >= STAGES.indexOf('verify') };
}

/** The model after a migration went up to this stage, or stood behind it already. */
function reach({ migration }: Ground, stage: Until): void {
  migration.state = 'active';
  migration.takenBack = [];
  if (!migration.reached(stage)) migration.stage = stage;
}

function listHolds({ worlds }: Ground, holds: HoldsDraw): { keyIds: string[]; accountIds: string[] } {
  if (holds === 'lift') return { keyIds: [], accountIds: [] };
  const picked = (ids: readonly string[], picks: readonly number[]): string[] =>
    ids.length === 0 ? [] : picks.map((pick) => ids[pick % ids.length]!);
  return {
    keyIds: [
      ...new Set(
        worlds.flatMap((world) =>
          picked(
            inTable(world).map(({ id }) => id),
            world.draw.holds.keys,
          ),
        ),
      ),
    ],
    accountIds: [...new Set(worlds.flatMap((world) => picked([...world.model.accounts], world.draw.holds.accounts)))],
  };
}

/** Brings a migration to where its backfill can be stopped; false when it is behind that already. */
async function atExpand(ground: Ground): Promise<boolean> {
  const { migration } = ground;
  if (migration.copied) return false;
  if (!migration.expanded) await migrate(ground, { until: 'expand', holds: 'keep', batchSize: 1_000 });
  return ground.faults.length === 0;
}

/** An operator pauses, the run waits, the platform goes on writing, the operator resumes. */
async function paused(ground: Ground, until: Until, writes: Writes): Promise<Done> {
  if (!(await atExpand(ground))) {
    await writes();
    return LAGGING;
  }
  const { scenario, migration } = ground;
  await command(ground, 'pause', [0]);
  const running = scenario.start(`migrate --yes --until ${until}`);
  let ended = false;
  void running.ended.then(() => {
    ended = true;
  });
  if (until !== 'expand')
    await waitUntil(
      'the run to wait',
      async () =>
        ended ||
        (await scenario.db.query('select from keylift.runs where ended_at is null and waiting_for is not null'))
          .length > 0,
    );
  if (ended && until !== 'expand')
    ground.faults.push({ world: null, what: 'a paused run ended', found: (await running.ended).stderr });
  migration.takenBack = [];
  await writes();
  await command(ground, 'resume', [0]);
  const { exitCode, stderr } = await running.ended;
  if (![0, 6].includes(exitCode))
    ground.faults.push({ world: null, what: 'exit code of a resumed run', found: `${String(exitCode)} ${stderr}` });
  const switches = until === 'switch' && migration.stage !== 'switch';
  reach(ground, until);
  if (switches) migration.sayShare(100, true);
  return LAGGING;
}

/** A backfill is stopped half way, by Ctrl-C, and the platform goes on writing. */
async function interrupted(
  ground: Ground,
  { pick, batchSize }: { pick: number; batchSize: number },
  writes: Writes,
): Promise<Done> {
  const moving = ground.worlds.flatMap(({ model }) =>
    [...model.judged(ground.migration.held)].filter(([, { outcome }]) => outcome === 'move').map(([id]) => id),
  );
  if (moving.length > 0 && (await atExpand(ground))) {
    const { scenario, migration } = ground;
    const gate = await gateAt(scenario.db, Number(moving[pick % moving.length]));
    const running = scenario.start(`migrate --yes --until backfill --concurrency 1 --batch-size ${String(batchSize)}`);
    let ended = false;
    void running.ended.then(() => {
      ended = true;
    });
    await waitUntil('the backfill to come to the gate', async () => ended || (await waitingSessions(scenario.db)) > 0);
    running.signal();
    await gate.remove();
    const { exitCode, stderr } = await running.ended;
    if (![0, 6, 130].includes(exitCode))
      ground.faults.push({
        world: null,
        what: 'exit code of an interrupted run',
        found: `${String(exitCode)} ${stderr}`,
      });
    const [row] = await scenario.db.query<{ stage: Until }>('select stage from keylift.migration');
    migration.stage = row!.stage;
    migration.takenBack = [];
  }
  await writes();
  return LAGGING;
}

const listed = (worlds: readonly Settled[]): string[] => [
  ...new Set(worlds.flatMap(({ draw, place }) => draw.listed.map((account) => place.account(account)!))),
];

const listFile = (ground: Ground): Promise<string> =>
  ground.scenario.file('accounts.csv', ['account_id', ...listed(ground.worlds), ''].join('\n'));

async function turn(
  ground: Ground,
  { who, back }: { who: 'all' | 'listed' | number; back: boolean },
  beside?: Writes,
): Promise<Done> {
  const { migration } = ground;
  const flag =
    who === 'listed'
      ? `--accounts ${await listFile(ground)}`
      : who === 'all'
        ? back
          ? ''
          : '--all'
        : `--cohort ${String(who)}%`;
  const line = `switch ${flag} ${back ? '--back' : ''} --yes --json`;
  const allowed = migration.state === 'finalized' ? !back : migration.state === 'active' && migration.reached('verify');
  const ended = await command(ground, line, [allowed ? 0 : 3], beside);
  if (!allowed) return LAGGING;
  if (who === 'listed') migration.sayAccounts(listed(ground.worlds), !back);
  else migration.sayShare(who === 'all' ? 100 : who, !back);
  if (migration.state === 'active') migration.stage = migration.mode === 'all' ? 'switch' : 'verify';
  const accounts = ground.worlds.flatMap(({ model }) => [...model.accounts]);
  expectAnswer(ground, ended, {
    mode: migration.mode,
    accounts: { switched: accounts.filter((id) => migration.isSwitched(id)).length, total: accounts.length },
  });
  return { caughtUp: beside === undefined };
}

/** Also the end of every play. */
export async function rollback(ground: Ground): Promise<Done> {
  const { migration } = ground;
  const removed = migration.complete ? count(ground, 'move') : undefined;
  const ended = await command(ground, 'rollback --yes --json', [0]);
  const idle = migration.state === 'none' || migration.state === 'rolled_back';
  const born = ground.worlds.flatMap(({ model }) => [...model.born.keys()]).sort((a, b) => Number(a) - Number(b));
  if (ground.faults.length > 0) return LAGGING;
  const report = ended.json<{ born_in_settings: { key_id: string }[] }>();
  expectAnswer(
    ground,
    { ...ended, json: <T>() => ({ ...report, born: report.born_in_settings.map(({ key_id }) => key_id) }) as T },
    { rolled_back: !idle, born, ...(removed === undefined ? {} : { removed }) },
  );
  if (migration.state !== 'none') migration.takeBack();
  for (const { model } of ground.worlds) model.frozen = null;
  return LAGGING;
}

async function rollbackListed(ground: Ground): Promise<Done> {
  const { migration } = ground;
  const before = count(ground, 'move');
  const ended = await command(ground, `rollback --accounts ${await listFile(ground)} --yes --json`, [
    migration.state === 'finalized' || (migration.state === 'active' && !migration.complete) ? 3 : 0,
  ]);
  if (migration.state !== 'active' || !migration.complete) return LAGGING;
  migration.takenBack = [...new Set([...migration.takenBack, ...listed(ground.worlds)])];
  expectAnswer(ground, ended, { rolled_back: true, removed: before - count(ground, 'move') });
  return LAGGING;
}

async function finalize(ground: Ground): Promise<Done> {
  const { migration } = ground;
  const ready = migration.state === 'active' && migration.stage === 'switch' && migration.mode === 'all';
  const allowed = ready || migration.state === 'finalized';
  const ended = await command(ground, 'finalize --yes --json', [allowed ? 0 : 3]);
  if (!allowed) return LAGGING;
  if (ready) for (const { model } of ground.worlds) freeze(model, migration);
  migration.state = 'finalized';
  const archived = ground.worlds.flatMap(({ model }) =>
    [...model.keys.keys()].filter((id) => isMoved(model.frozen?.get(id))),
  ).length;
  expectAnswer(ground, ended, { state: 'finalized', archived });
  return { caughtUp: ready };
}

/** After finalize the rows that moved are no more to be planned. */
async function plan(ground: Ground): Promise<Done> {
  if (ground.migration.state === 'finalized') return LAGGING;
  const ended = await command(ground, 'plan --json', [0, 6]);
  if (ground.faults.length === 0) ground.faults.push(...planFaults(ground, ended));
  return LAGGING;
}

/** Also the end of every play: the proof holds, and its numbers are the model's arithmetic. */
export async function verify(ground: Ground, beside?: Writes): Promise<Done> {
  if (!ground.migration.complete) {
    await beside?.();
    return LAGGING;
  }
  const ended = await command(ground, 'verify --json', [0, 4], beside);
  if (ended.exitCode === 4) ground.faults.push(...listedFaults(ended));
  if (beside === undefined && ground.faults.length === 0) ground.faults.push(...verifyFaults(ground, ended));
  return { caughtUp: beside === undefined };
}
