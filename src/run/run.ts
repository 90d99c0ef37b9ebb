import { STEPS } from '../../migrations/index.js';
import { version } from '../config/package-root.js';
import { maskWebUrl } from '../config/redact.js';
import type { Database } from '../database/connect.js';
import { withRetry } from '../database/with-retry.js';
import { withStop } from '../database/with-stop.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { readInstalled } from '../ledger/installed.js';
import type { RunFacts, RunPace } from '../ledger/runs.js';
import type { StageName } from '../ledger/states.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { retryOnConnectionLoss } from './connection-loss.js';
import { DEFAULT_PACE, type StageContext, type StageOptions } from './context.js';
import { DdlRunner } from './ddl.js';
import { connectionLoss, toAll, waitsTo, type RunListener } from './events.js';
import { requireLease, withFence } from './fence.js';
import { underLease, type Leased } from './lease.js';
import { Waits } from './waits.js';

/** Where a run works, who can stop it, and who hears of it. */
export interface RunSettings {
  database: Database;
  /** For the connections of the DDL runner. */
  url: string;
  schema: MappedSchema;
  /** The arguments of the command as the ledger keeps them; undefined where there is no command line. */
  recorded?: readonly string[] | undefined;
  stop: AbortSignal;
  listeners: readonly RunListener[];
}

interface RunFrame {
  /** As the ledger records it. */
  command: string;
  /** The last stage, for a command that goes through stages. */
  until?: StageName;
  options?: Partial<StageOptions>;
}

/** What a run does. */
export interface RunOrder<T> extends RunFrame {
  /** Is called again after a lost connection, so it must continue from what the ledger says. */
  work: (context: StageContext) => Promise<T>;
  /** The exit code that the ledger records. Default: 0. */
  exitCode?: (result: T) => ExitCode;
  /** One turn of help for another run that leads; without it this run is refused meanwhile. */
  assist?: (context: StageContext) => Promise<void>;
}

/**
 * Every command that changes a migration runs here: with the lease and its heartbeat, the check of the lease in each
 * transaction, retries, a new connection after a lost one, the DDL runner, the waits in the ledger, and the operator's
 * stop between two transactions.
 */
export async function withRun<T>(settings: RunSettings, order: RunOrder<T>): Promise<T> {
  const { database, recorded, stop, listeners } = settings;
  const { command, work, exitCode = () => EXIT.done, assist } = order;
  const emit = toAll(listeners);
  return underLease(
    database,
    {
      facts: factsOf(order, recorded),
      stop,
      onEntered: ({ runId }) => {
        emit({ kind: 'run', runId, command });
      },
      assist: assist && ((leased) => inContext(settings, { order, leased }, assist)),
    },
    async (leased) => {
      const result = await inContext(settings, { order, leased }, (context) =>
        retryOnConnectionLoss(() => work(context), {
          stop: context.stop,
          onLoss: (error) => {
            emit(connectionLoss(error));
          },
        }),
      );
      return { exitCode: exitCode(result), result };
    },
  );
}

/** Gives `fn` the context of a run that has its lease, and ends what belongs to it. */
async function inContext<T>(
  settings: RunSettings,
  { order, leased: { run, lost, assisted } }: { order: RunFrame; leased: Leased },
  fn: (context: StageContext) => Promise<T>,
): Promise<T> {
  const { schema, url } = settings;
  const waits = new Waits({ database: withFence(settings.database, run), run });
  const emit = toAll([...settings.listeners, waits.listen]);
  const stop = AbortSignal.any([settings.stop, lost]);
  const database = withRetry(withStop(settings.database, stop), { stop, onWait: waitsTo(emit) });
  const guard = (): Promise<void> => database.readOnly((session) => requireLease(session, run));
  return withDdl({ ...settings, stop, emit, guard }, (ddl) =>
    waits.during(() =>
      fn({
        database: withFence(database, run),
        url,
        schema,
        ddl,
        run,
        assisted,
        options: optionsOf(order),
        emit,
        stop,
      }),
    ),
  );
}

/** Installs the ledger where it is missing. A lease needs the ledger, so this alone runs without one. */
export async function installLedger({ listeners, ...settings }: RunSettings): Promise<void> {
  const { ledger } = await settings.database.readOnly((session) => readInstalled(session, settings.schema.settings));
  if (!ledger) await withDdl({ ...settings, emit: toAll(listeners) }, (ddl) => ddl.up(STEPS.expandForGood.slice(0, 1)));
}

interface DdlSettings {
  url: string;
  schema: MappedSchema;
  stop: AbortSignal;
  emit: RunListener;
  guard?: () => Promise<void>;
}

async function withDdl<T>({ emit, ...settings }: DdlSettings, fn: (ddl: DdlRunner) => Promise<T>): Promise<T> {
  const ddl = new DdlRunner({
    ...settings,
    onWait: (wait) => {
      emit({ kind: 'waiting', wait });
    },
  });
  try {
    return await fn(ddl);
  } finally {
    await ddl.close();
  }
}

const optionsOf = ({ options }: RunFrame): StageOptions => ({ ...DEFAULT_PACE, ...options });

function factsOf(order: RunFrame, recorded: readonly string[] | undefined): RunFacts {
  return { command: order.command, arguments: recorded ?? null, version: version(), pace: paceOf(order) };
}

/** The ledger shows it to other sessions, so of a URL it has the host alone. */
function paceOf(order: RunFrame): RunPace {
  const { concurrency, batchSeconds, batchSize, maxLag, maxActive, throttleQuery, throttleUrl, maxLatency } =
    optionsOf(order);
  return {
    until: order.until ?? null,
    concurrency,
    batch_time: batchSeconds,
    batch_size: batchSize,
    max_lag: maxLag,
    max_active: maxActive,
    throttle_query: throttleQuery,
    throttle_url: throttleUrl === null ? null : maskWebUrl(throttleUrl),
    max_latency: maxLatency,
  };
}
