import type { ReadSession } from '../database/session.js';
import type { Installed } from '../ledger/installed.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Settings } from '../config/settings.js';

/** What a gate found wrong, and the way out. */
export interface Refusal {
  gate: string;
  problem: string;
  wayOut: string;
  /** The key of the configuration it is about, such as `legacy.keys.id`. */
  at?: string;
}

/** What the configuration says alone, for gates that ask nothing of the rows. */
export interface NamesWorld {
  session: ReadSession;
  schema: { legacy: LegacyFragments; settings: Settings };
}

export interface GateWorld extends NamesWorld {
  schema: MappedSchema;
  /** Names of the server as this process reaches it, to know whether its disk is ours. */
  host: string;
  /** After a rollback the new table is keylift's, and stays. */
  installed: Installed;
}

export type Gate = (world: GateWorld) => Promise<Refusal[]>;

export const refuseIf = (wrong: boolean, refusal: Refusal): Refusal[] => (wrong ? [refusal] : []);
