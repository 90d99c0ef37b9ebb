import { keyliftError } from '../errors/keylift-error.js';

/** Stages in their order; `finalize` is never part of `migrate`. */
export const STAGES = ['expand', 'backfill', 'harden', 'verify', 'switch', 'finalize'] as const;
export type StageName = (typeof STAGES)[number];

export const MIGRATION_STATES = [
  'active',
  'finalizing',
  'finalized',
  'purged',
  'restoring',
  'rolling_back',
  'rolled_back',
] as const;
export type MigrationState = (typeof MIGRATION_STATES)[number];

/** Where a migration is: its state, and the last stage that was completed. */
export interface Position {
  readonly state: MigrationState;
  readonly stage: StageName | null;
}

/** Has a migration begun that was not rolled back since? */
export const isBegun = <At extends Position>(at: At | null): at is At => at !== null && at.state !== 'rolled_back';

/** Is stage `a` the same as `b`, or later? No stage at all is before every other. */
export const reached = (a: StageName | null, b: StageName): boolean =>
  a !== null && STAGES.indexOf(a) >= STAGES.indexOf(b);

/** The last stage completed before a transition and after it. */
type StagePair = readonly [before: StageName | null, after: StageName | null];

export interface Transition {
  /** Null: the database has no migration yet. */
  readonly from: MigrationState | null;
  readonly to: MigrationState;
  /** The stages for which the transition is allowed. */
  readonly stages: readonly StagePair[];
  readonly reason: string;
}

/** The stages that `migrate` can have completed. */
const OF_MIGRATE = [null, 'expand', 'backfill', 'harden', 'verify', 'switch'] as const;

const kept = (...stages: readonly (StageName | null)[]): StagePair[] => stages.map((stage) => [stage, stage]);
const dropped = (...stages: readonly (StageName | null)[]): StagePair[] => stages.map((stage) => [stage, null]);

/** Every transition of a migration. `moveTo` refuses all others. */
export const TRANSITIONS: readonly Transition[] = [
  { from: null, to: 'active', stages: [[null, null]], reason: 'The first migrate begins.' },
  { from: 'rolled_back', to: 'active', stages: [[null, null]], reason: 'The next migrate begins a new attempt.' },
  {
    from: 'active',
    to: 'active',
    stages: [
      [null, 'expand'],
      ['expand', 'backfill'],
      ['backfill', 'harden'],
      ['harden', 'verify'],
    ],
    reason: 'migrate completed the next stage.',
  },
  { from: 'active', to: 'active', stages: [['verify', 'switch']], reason: 'Every account is switched.' },
  { from: 'active', to: 'active', stages: [['switch', 'verify']], reason: 'Some accounts were switched back.' },
  { from: 'active', to: 'finalizing', stages: kept('switch'), reason: 'finalize begins, after its proof has passed.' },
  {
    from: 'finalizing',
    to: 'finalized',
    stages: [['switch', 'finalize']],
    reason: 'Every moved row is in the archive, and the mirror is removed.',
  },
  { from: 'finalized', to: 'purged', stages: kept('finalize'), reason: 'finalize --purge deleted the archive.' },
  {
    from: 'finalizing',
    to: 'restoring',
    stages: kept('switch'),
    reason: 'rollback begins, and some rows are in the archive.',
  },
  {
    from: 'finalized',
    to: 'restoring',
    stages: kept('finalize'),
    reason: 'rollback begins, and all moved rows are in the archive.',
  },
  {
    from: 'restoring',
    to: 'restoring',
    stages: kept('switch', 'finalize'),
    reason: 'rollback was interrupted while it restored the archive, and runs again.',
  },
  { from: 'active', to: 'rolling_back', stages: kept(...OF_MIGRATE), reason: 'rollback begins.' },
  {
    from: 'finalizing',
    to: 'rolling_back',
    stages: kept('switch'),
    reason: 'rollback begins, and finalize had not created the archive.',
  },
  {
    from: 'restoring',
    to: 'rolling_back',
    stages: kept('switch', 'finalize'),
    reason: 'Every archived row is back in the legacy table.',
  },
  {
    from: 'rolling_back',
    to: 'rolling_back',
    stages: kept(...OF_MIGRATE, 'finalize'),
    reason: 'rollback was interrupted, and runs again.',
  },
  {
    from: 'rolling_back',
    to: 'rolled_back',
    stages: dropped(...OF_MIGRATE, 'finalize'),
    reason: 'No account key with a per-API key is left, and the mirror is removed.',
  },
];

/** The position in words, for facts and messages. */
export const describePosition = (at: Position | null): string =>
  at === null ? 'no migration' : `${at.state} after ${at.stage ?? 'no stage'}`;

/** @throws `illegal_transition` where the table has no such transition. */
export function requireTransition(from: Position | null, to: Position): void {
  const allowed = TRANSITIONS.some(
    (one) =>
      one.from === (from?.state ?? null) &&
      one.to === to.state &&
      one.stages.some(([before, after]) => before === (from?.stage ?? null) && after === to.stage),
  );
  if (!allowed) {
    throw keyliftError('illegal_transition', {
      message: `a migration cannot go from ${describePosition(from)} to ${describePosition(to)}`,
      facts: { from, to },
    });
  }
}

/** Every position that a migration can be in, in the order in which the table leads to them; null is none. */
export function reachablePositions(): (Position | null)[] {
  const found: (Position | null)[] = [null];
  for (const at of found) {
    for (const { from, to, stages } of TRANSITIONS) {
      if (from !== (at?.state ?? null)) continue;
      for (const [before, after] of stages) {
        const known = found.some((one) => one?.state === to && one.stage === after);
        if (before === (at?.stage ?? null) && !known) found.push({ state: to, stage: after });
      }
    }
  }
  return found;
}
