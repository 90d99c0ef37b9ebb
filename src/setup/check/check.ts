import { ALL_STEPS } from '../../../migrations/index.js';
import { parseTableName } from '../../config/identifiers.js';
import { version } from '../../config/package-root.js';
import type { Settings } from '../../config/settings.js';
import type { Database } from '../../database/connect.js';
import type { Place } from '../../database/place.js';
import { isPermission } from '../../database/sqlstate.js';
import type { ReadSession } from '../../database/session.js';
import { readInstalled } from '../../ledger/installed.js';
import { laterVersion, type LaterVersion } from '../../ledger/later-version.js';
import { idFaults } from '../../mapping/id-is-token.js';
import { legacyFragments } from '../../mapping/fragments.js';
import { inspectLegacy } from '../../mapping/inspect.js';
import type { MappingFault } from '../../mapping/mapping-fault.js';
import { mappingFaults } from '../../mapping/mapping-faults.js';
import type { Refusal } from '../../preflight/gate.js';
import { leftovers, rights } from '../../preflight/gates.js';
import { refusalsOf } from '../../preflight/surroundings.js';
import { accountType, mappedTable, SECTIONS } from '../../preflight/tables.js';
import type { Finding } from '../../surroundings/finding.js';
import { foreignApis } from '../../surroundings/foreign-apis.js';
import { findingsOf } from '../../surroundings/findings.js';
import { readSurroundings } from '../../surroundings/read.js';
import type { Note } from './note.js';
import { notesOn } from './notes.js';

/** A fault that would stop `migrate`, with its configuration key. */
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
  /** The position in an expression. */
  place: Place | null;
  /** What to do, where the problem does not say it. */
  way_out: string | null;
}

/** What `check --json` prints. */
export interface CheckReport {
  ok: boolean;
  /** The file of the settings; null for the default. */
  config: string | null;
  faults: CheckFault[];
  notes: Note[];
  /** All that meets the mapped tables, gates first. */
  surroundings: Finding[];
}

/** Finds everything in a configuration that does not fit a live database. Reads the catalog and writes nothing. */
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
      const gates = await tableFaults(session, settings, { missing, faulty: mapping.map(({ at }) => at) });
      const found = [...later, ...mapping, ...gates, ...(await targetFaults(session, settings))];
      if (found.some(({ kind }) => kind !== 'rights' && kind !== 'target' && kind !== 'unique_key'))
        return { faults: found, notes: [], surroundings };
      const whole = await checkWhole(session, settings);
      const refused = whole.fresh ? refusalsOf(surroundings, 'expand').map(faultOf('legacy.keys.table')) : [];
      const scope = refusalsOf(whole.scope, 'switch').map(faultOf('legacy.apis.inStore'));
      return {
        faults: [...found, ...whole.faults, ...refused, ...scope],
        notes: whole.notes,
        surroundings: [...whole.scope, ...surroundings],
      };
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

/** The gates about single tables, for each table that exists. */
async function tableFaults(
  session: ReadSession,
  settings: Settings,
  { missing, faulty }: { missing: readonly string[]; faulty: readonly string[] },
): Promise<CheckFault[]> {
  const input = { session, schema: { settings, legacy: legacyFragments(settings) } };
  const faults: CheckFault[] = [];
  for (const section of SECTIONS) {
    if (missing.includes(`legacy.${section}.table`) || faulty.includes(`legacy.${section}.id`)) continue;
    faults.push(
      ...(await orRightsFault(session, () => mappedTable(input, section))).map(faultOf(`legacy.${section}.table`)),
    );
  }
  if (missing.length > 0 || (await schemaOfTarget(session, settings)) === null) return faults;
  return [...faults, ...(await orRightsFault(session, () => rights(input))).map(faultOf('legacy'))];
}

/** Checks a table. A schema that this role may not use is a fault. */
async function orRightsFault(session: ReadSession, gate: () => Promise<Refusal[]>): Promise<Refusal[]> {
  await session.query('SAVEPOINT keylift_check');
  try {
    return await gate();
  } catch (error) {
    if (!isPermission(error)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT keylift_check');
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

/** The checks that need a mapping without faults in names and types. */
async function checkWhole(
  session: ReadSession,
  settings: Settings,
): Promise<{ faults: CheckFault[]; notes: Note[]; scope: Finding[]; fresh: boolean }> {
  await session.query('SAVEPOINT keylift_whole');
  try {
    const schema = await inspectLegacy(session, settings);
    await session.query(`SET LOCAL search_path = ${schema.searchPath}`);
    const installed = await readInstalled(session, settings);
    const input = { session, schema, host: '', installed };
    // During a migration the new table and the triggers belong to keylift.
    const fresh = installed.state === null;
    const faults = [...(await accountType(input)), ...(fresh ? await leftovers(input) : [])];
    return {
      faults: [
        ...(await idFaults(session, schema)).map(ofMapping),
        ...faults.map((refusal) => faultOf(refusal.gate === 'target' ? 'target.table' : 'legacy.keys.table')(refusal)),
      ],
      notes: await notesOn(session, schema),
      scope: await foreignApis(session, schema),
      fresh,
    };
  } catch (error) {
    if (!isPermission(error)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT keylift_whole');
    return { faults: [], notes: [], scope: [], fresh: false };
  }
}
