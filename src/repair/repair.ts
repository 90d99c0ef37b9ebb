import { BY_INDEX } from '../database/by-index.js';
import type { WriteSession } from '../database/session.js';
import { requireAllowed } from '../ledger/allowed.js';
import { recordEvent } from '../ledger/events.js';
import { readInstalled, type Installed } from '../ledger/installed.js';
import { reached, type StageName } from '../ledger/states.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { installAgain } from '../mirror/install-again.js';
import { noteFunctions } from '../mirror/note-functions.js';
import { MARK_WRITES_OF_STAGE } from '../mirror/own-writes.js';
import { triggerSteps, type MirrorState } from '../ledger/mirror-look.js';
import type { Proof } from '../proof/document.js';
import { authorizeByPerApiKeys, authorizeWithSwitch } from '../resolver/authorize.js';
import { perApiKeysView } from '../resolver/view.js';
import type { StageContext } from '../run/context.js';
import { settleIds, settleAgain } from '../stages/settle-again.js';
import { proveAndKeep } from '../stages/verify/prove.js';
import {
  endAccountKeys,
  endPerApiKeys,
  logOutOfLine,
  REPAIR_ACTIONS,
  stillAlive,
  type OutOfLine,
  type RepairAction,
} from './statements.js';
import { overArchiveAlone, survey, type Survey } from './survey.js';

/** Keys that one transaction brings in line. */
const PAGE_KEYS = 2_000;
const MOST_LISTED = 100;

/** What `repair --json` prints. */
export interface RepairReport {
  stage: StageName | null;
  /** False for a dry run. */
  repaired: boolean;
  /** The mirror as it was found; null where there need not be one. */
  mirror: MirrorState | null;
  found: Record<RepairAction, number>;
  /** The first of them. */
  keys: OutOfLine[];
  /** Null before harden, where changes wait in the change log, and for a dry run. */
  proof: Proof | null;
}

/** Looks what is out of line; writes nothing. */
export async function planRepair(
  { database, schema }: Pick<StageContext, 'database' | 'schema'>,
  installed: Installed,
): Promise<RepairReport> {
  const found = await survey(database, schema, requireRepairable(installed));
  return { ...describe(installed, found), repaired: false, proof: null };
}

/** @throws the refusal where there is nothing to repair, or a rollback is under way. */
function requireRepairable(installed: Installed): Installed {
  requireAllowed('repair', installed.state);
  return installed;
}

/**
 * Brings the mirror, account keys, outcomes and the resolver back in line, and proves it. The mirror comes first: what
 * changes from then on is carried, so the keys that are looked at afterwards are all that can be out of line.
 */
export async function repair(context: StageContext): Promise<RepairReport> {
  const { database, schema, run } = context;
  const read = () => database.readOnly((session) => readInstalled(session, schema.settings));
  const installed = requireRepairable(await read());
  context.emit({ kind: 'step', text: 'look at the mirror and at every key' });
  const before = await survey(database, schema, installed);
  await installMirror(context, before);
  const found = await survey(database, schema, installed);
  await repairKeys(context, found);
  await repairArchive(context, found);
  if (reached(installed.state!.stage, 'harden') && installed.state!.state === 'active') await settleAgain(context);
  const described = describe(installed, { ...found, mirror: before.mirror });
  await database.transaction(
    (session) =>
      recordEvent(session, {
        kind: 'repaired',
        runId: run.runId,
        facts: { ...described.found, mirror: before.mirror },
      }),
    { name: 'repair: record what was found' },
  );
  const provable = reached(installed.state!.stage, 'harden');
  return { ...described, repaired: true, proof: provable ? await proveAndKeep(context, { runId: run.runId }) : null };
}

function describe({ state }: Installed, { mirror, keys, archived }: Survey): Omit<RepairReport, 'repaired' | 'proof'> {
  const all = [...keys, ...archived];
  const found = Object.fromEntries(
    REPAIR_ACTIONS.map((action) => [action, all.filter((key) => key.action === action).length]),
  ) as RepairReport['found'];
  return { stage: state!.stage, mirror, found, keys: all.slice(0, MOST_LISTED) };
}

/** Where a trigger, a function or the view is not as it should be: all of them once more, in one transaction. */
async function installMirror(context: StageContext, { mirror }: Survey): Promise<void> {
  if (mirror === null || mirror.ok) return;
  const { database, schema, ddl, emit } = context;
  const done = await ddl.completed();
  const steps = triggerSteps(done);
  const statements = [...installAgain(schema, steps), ...resolver(schema, done.has('12_switchable'))];
  emit({ kind: 'step', text: 'install the triggers, the functions and the view again' });
  await database.transaction(
    async (session) => {
      for (const { text } of statements) await session.query(text);
      if (!steps.mirror) await session.query(logOutOfLine(schema.legacy));
    },
    { name: 'repair: install the mirror again', retry: 'underLoad' },
  );
}

const resolver = (schema: MappedSchema, withSwitch: boolean): { text: string }[] => {
  const authorize = withSwitch ? authorizeWithSwitch(schema) : authorizeByPerApiKeys(schema);
  return [authorize, perApiKeysView(schema, { withSwitch }), noteFunctions([authorize])];
};

async function repairKeys(context: StageContext, { keys }: Survey): Promise<void> {
  await inPages(context, keys, repairPage);
}

/** Ends per-API keys first: what the rules decide then is of dead keys. */
async function repairPage(session: WriteSession, schema: MappedSchema, ids: readonly string[]): Promise<void> {
  const { legacy: l, types, searchPath } = schema;
  for (const statement of endPerApiKeys(l, types.id)) await session.query(statement, [ids]);
  await session.query(`SET LOCAL search_path = ${searchPath}`);
  const { rows } = await session.query<{ key_id: string }>(stillAlive(l, types.id), [ids]);
  const alive = new Set(rows.map((row) => row.key_id));
  await session.query(settleIds(types.id), [ids.filter((id) => !alive.has(id))]);
}

async function repairArchive(context: StageContext, { archived }: Survey): Promise<void> {
  await inPages(context, archived, async (session, schema, ids) => {
    const archive = overArchiveAlone(schema);
    for (const statement of [...endPerApiKeys(archive, schema.types.id), endAccountKeys(archive, schema.types.id)])
      await session.query(statement, [ids]);
  });
}

async function inPages(
  { database, schema, emit }: StageContext,
  keys: readonly OutOfLine[],
  work: (session: WriteSession, schema: MappedSchema, ids: readonly string[]) => Promise<void>,
): Promise<void> {
  const ids = [...new Set(keys.map((key) => key.key_id))];
  for (let at = 0; at < ids.length; at += PAGE_KEYS) {
    const page = ids.slice(at, at + PAGE_KEYS);
    await database.transaction(
      async (session) => {
        await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
        await work(session, schema, page);
      },
      { name: 'repair: bring a page of keys in line', retry: 'underLoad' },
    );
    emit({ kind: 'step', text: `brought ${String(at + page.length)} keys in line`, rows: at + page.length });
  }
}
