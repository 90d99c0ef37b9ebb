import type { ReadSession } from '../database/session.js';
import { isBegun } from '../ledger/states.js';
import type { Outcome } from '../plan/plan.js';
import type { CoveringBatch } from './document.js';
import { keyDates, keyEvents, type KeyEventRow } from './key-events.js';
import type { Sources } from './sources.js';
import {
  accountKeys,
  apis,
  coveringBatch,
  recorded,
  sharingToken,
  sourceRows,
  switchedAccount,
  verdictsFor,
} from './statements.js';

/** A per-API key as read; an `api_id` without `slug` belongs to a missing API. */
export interface SourceFacts {
  key_id: string;
  stored_in: 'legacy' | 'archive';
  account_id: string | null;
  account: string | null;
  api_id: string | null;
  slug: string | null;
  name: string | null;
  fingerprint: string | null;
  has_token: boolean;
  alive: boolean;
  created_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  expires_at: string | null;
}

export interface AccountKeyFacts extends Omit<SourceFacts, 'stored_in' | 'account_id' | 'created_at' | 'has_token'> {
  account_id: string;
  created_at: string;
  scope: string;
}

/** The outcome of one key, by the rules or from the ledger. */
export interface OutcomeRow {
  key_id: string;
  outcome: Outcome;
  reason: string | null;
  account_key_id: string | null;
}

export interface ApiFacts {
  api_id: string;
  slug: string | null;
  in_store: boolean;
  /** The key that `authorize` answers with. */
  answering_key: string | null;
}

/** All facts about a key and the keys that share its token, by key id. */
export interface Facts {
  id: string;
  /** Per-API keys, in the order in which the old rule prefers them. */
  sources: Map<string, SourceFacts>;
  verdicts: Map<string, OutcomeRow>;
  accountKeys: Map<string, AccountKeyFacts>;
  recorded: Map<string, OutcomeRow>;
  apis: ApiFacts[];
  batch: CoveringBatch | null;
  switched: boolean | null;
  events: KeyEventRow[];
}

const byKey = <Row extends { key_id: string }>(rows: readonly Row[]): Map<string, Row> =>
  new Map(rows.map((row) => [row.key_id, row]));

/** Reads the facts about a key in the caller's snapshot. */
export async function readFacts(session: ReadSession, sources: Sources, id: string): Promise<Facts> {
  const query = async <Row>(sql: string, values: readonly unknown[]): Promise<Row[]> =>
    (await session.query<Row>(sql, values)).rows;
  const sharing = (await query<{ id: string }>(sharingToken(sources), [id])).map((row) => row.id);
  const inLedger = byKey(sources.ledger === null ? [] : await query<OutcomeRow>(recorded(sources), [sharing]));
  const accountKeyIds = [...inLedger.values()].flatMap((row) => row.account_key_id ?? []);
  const ids = [...new Set([...sharing, ...inLedger.keys(), ...accountKeyIds])];
  const rows = byKey(await query<SourceFacts>(sourceRows(sources), [ids]));
  const keys = byKey(sources.target ? await query<AccountKeyFacts>(accountKeys(sources), [ids]) : []);
  const account = rows.get(id)?.account_id ?? keys.get(inLedger.get(id)?.account_key_id ?? id)?.account_id ?? null;
  const outcomes = {
    recorded: inLedger,
    accountKeys: keys,
    verdicts: byKey(await query<OutcomeRow>(verdictsFor(sources), [ids])),
  };
  const moves = outcomeOf(outcomes, id)?.accountKeyId != null;
  return {
    id,
    sources: rows,
    ...outcomes,
    apis: await query<ApiFacts>(apis(sources), sources.authorize || sources.schema.legacy.apiNeedsAccount ? [id] : []),
    ...(await readLedgerFacts(session, sources, { id, account, moves })),
  };
}

/** The outcome of a key: the one it has, or the one that the rules would give it. */
export interface CurrentOutcome {
  outcome: Outcome | 'born';
  reason: string | null;
  /** The account key that answers for a moved or merged key; null for all others, native keys included. */
  accountKeyId: string | null;
  /** False while only the rules say so. */
  settled: boolean;
}

/** The new table and the ledger come before the rules. Undefined for a key that none of them knows. */
export function outcomeOf(
  { recorded: inLedger, accountKeys: keys, verdicts }: Pick<Facts, 'recorded' | 'accountKeys' | 'verdicts'>,
  id: string,
): CurrentOutcome | undefined {
  const key = keys.get(id);
  if (key !== undefined) {
    const native = key.api_id === null;
    return { outcome: native ? 'born' : 'move', reason: null, accountKeyId: native ? null : id, settled: true };
  }
  const row = inLedger.get(id) ?? verdicts.get(id);
  if (row === undefined) return undefined;
  const { outcome, reason, account_key_id: accountKeyId } = row;
  const moves = outcome === 'move' || outcome === 'merge';
  return { outcome, reason, accountKeyId: moves ? accountKeyId : null, settled: inLedger.has(id) };
}

async function readLedgerFacts(
  session: ReadSession,
  sources: Sources,
  { id, account, moves }: { id: string; account: string | null; moves: boolean },
): Promise<Pick<Facts, 'batch' | 'switched' | 'events'>> {
  if (sources.ledger === null) {
    return { batch: null, switched: null, events: (await session.query<KeyEventRow>(keyDates(sources), [id])).rows };
  }
  const rule =
    account === null ? undefined : await session.first<{ switched: boolean }>(switchedAccount(sources), [account]);
  return {
    batch: (await session.first<CoveringBatch>(coveringBatch(sources), [id])) ?? null,
    switched: isBegun(sources.ledger) && (rule?.switched ?? false),
    events: (await session.query<KeyEventRow>(keyEvents(sources), [id, account, moves])).rows,
  };
}
