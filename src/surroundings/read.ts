import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import {
  readDefaultGrants,
  readGrants,
  readPolicies,
  type DefaultGrant,
  type Grant,
  type Policy,
} from './catalog/access.js';
import { readForeignKeys, type ForeignKey } from './catalog/foreign-keys.js';
import { readReaders, type Reader } from './catalog/readers.js';
import {
  readPublications,
  readStandbys,
  readSubscriptions,
  type Publication,
  type Standbys,
  type Subscription,
} from './catalog/replication.js';
import {
  readConnections,
  readPrepared,
  readRoleSettings,
  readServer,
  readSessionSettings,
  type Connections,
  type PreparedTransaction,
  type RoleSetting,
  type Server,
  type SessionSettings,
} from './catalog/server.js';
import { readTables, type MappedTable } from './catalog/tables.js';
import {
  readEventTriggers,
  readRules,
  readTriggers,
  type EventTrigger,
  type Rule,
  type Trigger,
} from './catalog/triggers.js';

/** Everything that meets the mapped tables, as the catalog has it at one moment. Tables are named by their oid. */
export interface Surroundings {
  server: Server;
  tables: MappedTable[];
  triggers: Trigger[];
  rules: Rule[];
  eventTriggers: EventTrigger[];
  foreignKeys: ForeignKey[];
  policies: Policy[];
  grants: Grant[];
  defaultGrants: DefaultGrant[];
  publications: Publication[];
  subscriptions: Subscription[];
  readers: Reader[];
  sessionSettings: SessionSettings;
  roleSettings: RoleSetting[];
  prepared: PreparedTransaction[];
  standbys: Standbys;
  connections: Connections;
}

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;
export type FrozenSurroundings = Frozen<Surroundings>;

/**
 * Reads what meets the mapped tables from the catalog; it reads no row of them and needs no rights on them. Tables that do
 * not exist are left out.
 */
export async function readSurroundings(session: ReadSession, settings: Settings): Promise<FrozenSurroundings> {
  const server = await readServer(session);
  const schema = parseTableName(settings.target.table).schema ?? 'public';
  const tables = await readTables(session, settings);
  const oids = tables.map(({ oid }) => oid);
  const ofKeys = tables.filter(({ section }) => section === 'keys' || section === 'target').map(({ oid }) => oid);
  return freeze<Surroundings>({
    server,
    tables,
    triggers: await readTriggers(session, oids),
    rules: await readRules(session, oids),
    eventTriggers: await readEventTriggers(session),
    foreignKeys: await readForeignKeys(session, oids),
    policies: await readPolicies(session, oids),
    grants: await readGrants(session, oids),
    defaultGrants: await readDefaultGrants(session, schema),
    publications: await readPublications(session, oids, { schema, version: server.version }),
    subscriptions: await readSubscriptions(session, oids),
    readers: await readReaders(session, ofKeys),
    sessionSettings: await readSessionSettings(session),
    roleSettings: await readRoleSettings(session, ofKeys),
    prepared: await readPrepared(session, oids),
    standbys: await readStandbys(session),
    connections: await readConnections(session),
  });
}

/** Freezes a value and all that is in it. */
function freeze<T>(value: T): Frozen<T> {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value) as Frozen<T>;
}
