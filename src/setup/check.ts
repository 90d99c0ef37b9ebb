import { ALL_STEPS } from '../../migrations/index.js';
import { parseTableName } from '../config/identifiers.js';
import { version } from '../config/package-root.js';
import type { Settings } from '../config/settings.js';
import type { Database } from '../database/connect.js';
import type { Place } from '../database/place.js';
import { isPermission } from '../database/sqlstate.js';
import type { ReadSession } from '../database/session.js';
import { readInstalled } from '../ledger/installed.js';
import { laterVersion, type LaterVersion } from '../ledger/later-version.js';
import { idFaults } from '../mapping/id-is-token.js';
import { legacyFragments } from '../mapping/fragments.js';
import { inspectLegacy } from '../mapping/inspect.js';
import type { MappingFault } from '../mapping/mapping-fault.js';
import { mappingFaults } from '../mapping/mapping-faults.js';
import type { Refusal } from '../preflight/gate.js';
import { leftovers, rights } from '../preflight/gates.js';
import { refusalsOf } from '../preflight/surroundings.js';
import { accountType, mappedTable, SECTIONS } from '../preflight/tables.js';
import type { Finding } from '../surroundings/finding.js';
import { findingsOf } from '../surroundings/findings.js';
import { readSurroundings } from '../surroundings/read.js';
import { doubtsAbout, type Note } from './doubts.js';

/** Something that `migrate` would stumble over, with the key of the configuration it is about. */
export interface CheckFault {
  at: string;
  kind:
    | 'table'
    | 'column'
    | 'expression'
    | 'type'
    | 'unique_key'
    | 'row_security'
    | 'rights'
    | 'target'
    | 'triggers'
    | 'invalid_indexes'
    | 'surroundings'
    | 'ledger';
  problem: string;
  did_you_mean: string | null;
  /** Where in an expression the server found it. */
  place: Place | null;
  /** What to do, where the problem does not say so itself. */
  way_out: string | null;
}

/** What `check --json` prints. */
export interface CheckReport {
  ok: boolean;
  /** The file the settings came from; null: the default. */
  config: string | null;
  faults: CheckFault[];
  notes: Note[];
  /** All that meets the mapped tables, gates first. */
  surroundings: Finding[];
}

/** Holds a configuration against a live database: all that does not fit, at once. Reads the catalog, and writes nothing. */
export async function checkConfiguration(
  database: Database,
  { settings, configFile }: { settings: Settings; configFile: string | undefined },
): Promise<CheckReport> {
  const { faults, notes, surroundings } = await database.readOnly(
    async (session) => {
      const later = ledgerFaults(await laterVersion(session, { version: version(), steps: ALL_STEPS }));
      const surroundings = findingsOf(await readSurroundings(session, settings), settings);
      const mapping = (await mappingFaults(session, settings)).map(ofMapping);
      const missing = mapping.filter(({ kind }) => kind === 'table').map(({ at }) => at);
      const gates = await tableFaults(session, settings, { missing, spoilt: mapping.map(({ at }) => at) });
      const found = [...later, ...mapping, ...gates, ...(await targetFaults(session, settings))];
      if (found.some(({ kind }) => kind !== 'rights' && kind !== 'target' && kind !== 'unique_key'))
        return { faults: found, notes: [], surroundings };
      const whole = await ofTheWhole(session, settings);
      const refused = whole.fresh ? refusalsOf(surroundings, 'expand').map(faultOf('legacy.keys.table')) : [];
      return { faults: [...found, ...whole.faults, ...refused], notes: whole.notes, surroundings };
    },
    { isolation: 'repeatable read' },
  );
  return { ok: faults.length === 0, config: configFile ?? null, faults, notes, surroundings };
}

const ofMapping = ({ at, kind, problem, didYouMean, place }: MappingFault): CheckFault => ({
  at,
  kind,
  problem,
  did_you_mean: didYouMean,
  place: place ?? null,
  way_out: null,
});

/** A ledger that this version must leave alone. */
const ledgerFaults = (later: LaterVersion | null): CheckFault[] =>
  later === null
    ? []
    : [
        {
          at: 'ledger',
          kind: 'ledger',
          problem: `keylift ${later.version ?? 'of a later version'} has worked on this ledger`,
          did_you_mean: null,
          place: null,
          way_out: 'use that version, or a later one',
        },
      ];

const KINDS: Record<string, CheckFault['kind']> = {
  key_table: 'table',
  unique_key: 'unique_key',
  row_security: 'row_security',
  rights: 'rights',
  target: 'target',
  triggers: 'triggers',
  invalid_indexes: 'invalid_indexes',
};

const faultOf =
  (at: string) =>
  (refusal: Refusal): CheckFault => ({
    at: refusal.at ?? at,
    kind: KINDS[refusal.gate] ?? 'surroundings',
    problem: refusal.problem,
    did_you_mean: null,
    place: null,
    way_out: refusal.wayOut,
  });

/** Gates that look at tables rather than at rows can be asked about each table that is there. */
async function tableFaults(
  session: ReadSession,
  settings: Settings,
  { missing, spoilt }: { missing: readonly string[]; spoilt: readonly string[] },
): Promise<CheckFault[]> {
  const world = { session, schema: { settings, legacy: legacyFragments(settings) } };
  const faults: CheckFault[] = [];
  for (const section of SECTIONS) {
    if (missing.includes(`legacy.${section}.table`) || spoilt.includes(`legacy.${section}.id`)) continue;
    faults.push(
      ...(await unlessForbidden(session, () => mappedTable(world, section))).map(faultOf(`legacy.${section}.table`)),
    );
  }
  if (missing.length > 0 || (await schemaOfTarget(session, settings)) === null) return faults;
  return [...faults, ...(await unlessForbidden(session, () => rights(world))).map(faultOf('legacy'))];
}

/** A schema that this role may not even look into. */
async function unlessForbidden(session: ReadSession, ask: () => Promise<Refusal[]>): Promise<Refusal[]> {
  await session.query('SAVEPOINT keylift_question');
  try {
    return await ask();
  } catch (error) {
    if (!isPermission(error)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT keylift_question');
    return [
      {
        gate: 'rights',
        problem: (error as Error).message,
        wayOut: 'grant it (runbook.md#roles) or run as the role that owns the tables',
      },
    ];
  }
}

async function schemaOfTarget(session: ReadSession, { target }: Settings): Promise<string | null> {
  const { schema } = parseTableName(target.table);
  return (
    await session.one<{ found: string | null }>('SELECT to_regnamespace(quote_ident($1))::text AS found', [
      schema ?? 'public',
    ])
  ).found;
}

async function targetFaults(session: ReadSession, settings: Settings): Promise<CheckFault[]> {
  if ((await schemaOfTarget(session, settings)) !== null) return [];
  const { schema } = parseTableName(settings.target.table);
  return [
    {
      at: 'target.table',
      kind: 'target',
      problem: `no schema ${schema ?? 'public'}`,
      did_you_mean: null,
      place: null,
      way_out: 'create it, or name another one',
    },
  ];
}

/** What can be asked once every name and type is right. */
async function ofTheWhole(
  session: ReadSession,
  settings: Settings,
): Promise<{ faults: CheckFault[]; notes: Note[]; fresh: boolean }> {
  await session.query('SAVEPOINT keylift_whole');
  try {
    const schema = await inspectLegacy(session, settings);
    await session.query(`SET LOCAL search_path = ${schema.searchPath}`);
    const installed = await readInstalled(session, settings);
    const world = { session, schema, host: '', installed };
    // Under a migration the new table and the triggers are keylift's own.
    const fresh = installed.state === null;
    const faults = [...(await accountType(world)), ...(fresh ? await leftovers(world) : [])];
    return {
      faults: [
        ...(await idFaults(session, schema)).map(ofMapping),
        ...faults.map((refusal) => faultOf(refusal.gate === 'target' ? 'target.table' : 'legacy.keys.table')(refusal)),
      ],
      notes: await doubtsAbout(session, schema),
      fresh,
    };
  } catch (error) {
    if (!isPermission(error)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT keylift_whole');
    return { faults: [], notes: [], fresh: false };
  }
}
