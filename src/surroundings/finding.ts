import type { FrozenSurroundings } from './read.js';
import type { Settings } from '../config/settings.js';

/** What keylift does; `mirror` is every write of the platform from expand to finalize. */
export type Phase = 'expand' | 'backfill' | 'harden' | 'mirror' | 'verify' | 'switch' | 'finalize' | 'rollback';

/** From the least to the most. A gate refuses the phases of its finding. */
export const SEVERITIES = ['fine', 'warning', 'gate'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Each has a section of the runbook: `gate-rules`. */
export type GateName =
  | 'connections'
  | 'delete_triggers'
  | 'foreign_apis'
  | 'foreign_partition'
  | 'hidden_references'
  | 'insert_triggers'
  | 'keys_in_accounts'
  | 'keys_in_apis'
  | 'prepared_transactions'
  | 'replica_identity'
  | 'replica_sessions'
  | 'row_security'
  | 'rules'
  | 'standby'
  | 'subscriber'
  | 'synchronous_standby';

export type FindingKind =
  | 'trigger'
  | 'rule'
  | 'event_trigger'
  | 'foreign_key'
  | 'row_security'
  | 'privilege'
  | 'default_privilege'
  | 'publication'
  | 'subscription'
  | 'partition'
  | 'reader'
  | 'shape'
  | 'encoding'
  | 'setting'
  | 'connections'
  | 'prepared_transaction'
  | 'standby'
  | 'scope';

/** Something that meets the mapped tables, and what that means for the migration. */
export interface Finding {
  kind: FindingKind;
  /** The object, with its name: `trigger audit on public.api_keys`. */
  object: string;
  /** What the catalog says of it. */
  fact: string;
  /** What keylift does that meets it. */
  meets: string;
  /** When keylift does that. */
  phases: readonly Phase[];
  severity: Severity;
  /** What the operator can do; null: nothing has to be done. */
  way_out: string | null;
  /** The gate that refuses; null unless the severity is `gate`. */
  gate: GateName | null;
}

/** Decides about one kind of objects. It reads nothing but its argument. */
export type Judge = (around: FrozenSurroundings, settings: Settings) => Finding[];

type Parts = Omit<Finding, 'severity' | 'way_out' | 'gate'>;

export const fine = (parts: Parts): Finding => ({ ...parts, severity: 'fine', way_out: null, gate: null });

export const warning = (wayOut: string, parts: Parts): Finding => ({
  ...parts,
  severity: 'warning',
  way_out: wayOut,
  gate: null,
});

export const gate = (name: GateName, wayOut: string, parts: Parts): Finding => ({
  ...parts,
  severity: 'gate',
  way_out: wayOut,
  gate: name,
});

/** The name of a mapped table or partition by its oid. */
export const nameOf = ({ tables }: FrozenSurroundings, oid: string): string =>
  tables.find((table) => table.oid === oid)?.name ?? oid;

/** `a, b and c` */
export const listed = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)!}`;
