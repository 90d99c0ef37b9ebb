import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import type { Settings } from '../../src/config/settings.js';
import type { Finding } from '../../src/surroundings/finding.js';
import { findingsOf } from '../../src/surroundings/findings.js';
import type { Surroundings } from '../../src/surroundings/read.js';

type Table = Surroundings['tables'][number];
export type Trigger = Surroundings['triggers'][number];
export type ForeignKey = Surroundings['foreignKeys'][number];

/** Oids of the mapped tables in `around`. */
export const OID = { keys: '1', apis: '2', accounts: '3', target: '4' } as const;

export const table = (section: Table['section'], changes: Partial<Table> = {}): Table => ({
  section,
  oid: OID[section],
  name: `public.${{ keys: 'api_keys', apis: 'apis', accounts: 'accounts', target: 'account_api_keys' }[section]}`,
  kind: 'r',
  isPartition: false,
  owner: 'shop_owner',
  replicaIdentity: 'primary key',
  rowSecurity: { enabled: false, forced: false, active: false },
  from: [],
  ...changes,
});

/** A database in which nothing but the mapped tables exists. */
export const around = (changes: Partial<Surroundings> = {}): Surroundings => ({
  server: { version: 180_000, isStandby: false, encoding: 'UTF8', role: 'keylift_operator' },
  tables: [table('keys'), table('apis'), table('accounts'), table('target')],
  triggers: [],
  rules: [],
  eventTriggers: [],
  foreignKeys: [],
  policies: [],
  grants: [],
  defaultGrants: [],
  publications: [],
  subscriptions: [],
  readers: [],
  sessionSettings: {},
  roleSettings: [],
  prepared: [],
  standbys: { names: '', commit: 'on', connected: 0, visible: true },
  connections: { free: { server: 90, database: null, role: null } },
  ...changes,
});

export const trigger = (changes: Partial<Trigger> = {}): Trigger => ({
  table: OID.keys,
  name: 'audit',
  timing: 'AFTER',
  level: 'ROW',
  events: ['UPDATE'],
  columns: [],
  conditional: false,
  enabled: 'O',
  isConstraint: false,
  deferred: false,
  function: { name: 'public.audit', owner: 'shop_owner', securityDefiner: false, searchPath: 'public' },
  ...changes,
});

const end = (oid: string, name: string, columns: string[]): ForeignKey['from'] => ({ oid, table: name, columns });
export const CALLS = end('9', 'public.calls', ['key_id']);

export const foreignKey = (changes: Partial<ForeignKey> = {}): ForeignKey => ({
  name: 'calls_key',
  from: CALLS,
  to: end(OID.keys, 'public.api_keys', ['id']),
  onDelete: 'CASCADE',
  onUpdate: 'NO ACTION',
  match: 'SIMPLE',
  deferrable: false,
  deferred: false,
  validated: true,
  enforced: true,
  hidden: false,
  readable: true,
  ...changes,
});

/** The findings about a database in which only this is special. */
export const findings = (changes: Partial<Surroundings>, settings: Settings = DEFAULT_SETTINGS): Finding[] =>
  findingsOf(around(changes), settings);

/** `warning trigger audit on public.api_keys (mirror)` */
export const told = (found: readonly Finding[]): string[] =>
  found.map(({ severity, gate, object, phases }) => `${gate ?? severity}: ${object} (${phases.join(', ')})`);
