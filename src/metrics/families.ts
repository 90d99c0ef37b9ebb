import { WAIT_KINDS } from '../database/waiting.js';
import { STAGES } from '../ledger/states.js';
import type { RunState, Status } from '../status/status.js';
import type { Counts, MetricsFacts } from './facts.js';
import type { Family, Sample } from './openmetrics.js';

const STATES: readonly RunState[] = ['idle', 'running', 'paused', 'waiting', 'done', 'rolled_back'];
const SWITCHED: readonly Status['switched'][] = ['none', 'some', 'all'];

/** When the file was written, and if its values are current. */
export interface Written {
  /** Seconds since 1970. */
  at: number;
  /** True if the database answered. If not, all other values are those of its last answer. */
  up: boolean;
}

const gauge = (name: string, help: string, ...samples: Sample[]): Family => ({
  name: `keylift_${name}`,
  type: 'gauge',
  help,
  samples,
});
const seconds = (name: string, help: string, ...samples: Sample[]): Family => ({
  ...gauge(name, help, ...samples),
  unit: 'seconds',
});

/** 1 for the current value, 0 for all others. */
const oneOf = (label: string, all: readonly string[], current: string | null): Sample[] =>
  all.map((value) => ({ labels: { [label]: value }, value: value === current ? 1 : 0 }));

const each = (label: string, values: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));

/** All families of `--metrics-file`; facts are null until the database has answered. */
export const familiesOf = (facts: MetricsFacts | null, { at, up }: Written): Family[] => [
  gauge('up', 'The database answered when this was written; if not, all other values are those of its last answer.', {
    value: up ? 1 : 0,
  }),
  seconds('written_timestamp_seconds', 'When this was written, by the clock of the machine on which keylift runs.', {
    value: at,
  }),
  ...(facts === null
    ? []
    : [
        ...progressOf(facts),
        ...paceOf(facts.status),
        ...waitsOf(facts.counts),
        ...runOf(facts),
        ...proofOf(facts.counts),
      ]),
];

const progressOf = ({ status, counts }: MetricsFacts): Family[] => [
  gauge('state', 'The state of the migration.', ...oneOf('state', STATES, status.state)),
  gauge(
    'stage_done',
    'Completed stages.',
    ...STAGES.map((stage) => ({ labels: { stage }, value: reachedBy(status.stage, stage) })),
  ),
  seconds(
    'stage_seconds',
    'Duration of completed stages.',
    ...status.stages.map((done) => ({ labels: { stage: done.stage }, value: done.seconds })),
  ),
  gauge('per_api_keys', 'Per-API keys in all.', { value: status.total }),
  gauge('looked_at_keys', 'Keys that batches have processed.', { value: status.looked_at }),
  gauge(
    'outcome_keys',
    'Keys by outcome so far.',
    ...each('outcome', {
      move: status.moved,
      stay: counts.stay,
      merge: counts.merge,
      hold: counts.hold,
      exception: counts.exception,
    }),
  ),
  gauge(
    'switched',
    'Accounts answered from Settings: none, some or all.',
    ...oneOf('accounts', SWITCHED, status.switched),
  ),
];

const reachedBy = (stage: string | null, other: string): number =>
  stage !== null && (STAGES as readonly string[]).indexOf(stage) >= (STAGES as readonly string[]).indexOf(other)
    ? 1
    : 0;

const paceOf = (status: Status): Family[] => [
  gauge('batches', 'Batches by state; another run tries failed ones again.', ...each('state', status.batches)),
  gauge('rows_per_second', 'Rate of the last half minute.', { value: status.rows_per_second }),
  seconds('left_seconds', 'Time left, once the rate is steady.', { value: status.seconds_left }),
  seconds('batch_seconds', 'Average duration of the last batches.', { value: status.batch_seconds }),
  gauge('concurrency', 'Batches at once, for each run.', { value: status.concurrency }),
  seconds('replica_lag_seconds', 'Lag of the slowest replica.', { value: status.lag_seconds }),
  seconds('lookup_p95_seconds', 'Time that 95 of 100 of the latest key lookups do not exceed, with --max-latency.', {
    value: status.lookups?.p95_seconds ?? null,
  }),
  seconds('lookup_limit_seconds', 'The limit of --max-latency.', { value: status.lookups?.limit_seconds ?? null }),
];

const waitsOf = ({ waiting, waits }: Counts): Family[] => [
  gauge('waiting', 'What the run waits for now.', ...oneOf('kind', WAIT_KINDS, waiting)),
  {
    name: 'keylift_waits',
    type: 'counter',
    help: 'Finished waits.',
    samples: waits.map(({ kind, times }) => ({ labels: { kind }, value: times })),
  },
  {
    name: 'keylift_waited_seconds',
    type: 'counter',
    unit: 'seconds',
    help: 'Total duration of finished waits.',
    samples: waits.map((wait) => ({ labels: { kind: wait.kind }, value: wait.seconds })),
  },
];

const runOf = ({ status, counts }: MetricsFacts): Family[] => [
  gauge('runs', 'Active runs, including those that help.', { value: status.run?.runs ?? 0 }),
  seconds('lease_seconds', 'Time until the lease of the leading run ends, unless the run extends it.', {
    value: counts.lease,
  }),
  gauge('last_exit_code', 'Exit code of the latest run that has ended.', { value: counts.last_exit }),
  seconds('last_ended_timestamp_seconds', 'When that run ended, by the clock of the database.', {
    value: counts.last_ended,
  }),
];

const proofOf = ({ proof }: Counts): Family[] =>
  proof === null
    ? []
    : [
        gauge('proof_ok', 'The latest proof passed.', { value: proof.ok ? 1 : 0 }),
        seconds('proof_timestamp_seconds', 'When that proof was made, by the clock of the database.', {
          value: proof.proven_at,
        }),
        gauge('proof_keys', 'Account keys that the proof compared, by result.', ...each('counter', proof.keys)),
        gauge(
          'proof_authorization',
          'Pairs of token and API that open differently than before.',
          ...each('counter', proof.authorization),
        ),
      ];
