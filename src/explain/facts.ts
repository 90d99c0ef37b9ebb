import type { ReadSession } from '../database/session.js';
import { isBegun } from '../ledger/states.js';
import type { Outcome } from '../plan/plan.js';
import type { CoveringBatch } from './document.js';
import { datesOf, happenings, type HappeningRow } from './happenings.js';
import type { Scene } from './scene.js';
import {
  accountKeys,
  apis,
  coveringBatch,
  recorded,
  sharingToken,
  sourceRows,
  switchedAccount,
  verdictsOn,
} from './statements.js';

/** A per-API key as read; `api_id` without `slug` is an API that is gone. */
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

/** A word on one key: the rules' or the ledger's. */
export interface Word {
  key_id: string;
  outcome: Outcome;
  reason: string | null;
  account_key_id: string | null;
}

export interface ApiFacts {
  api_id: string;
  slug: string | null;
  in_store: boolean;
  /** Id of the key that `authorize` answers with. */
  answers: string | null;
}

/** All that is known about a key and those that share its token, by key id. */
export interface Facts {
  id: string;
  /** Per-API keys, in the order the old rule prefers them. */
  sources: Map<string, SourceFacts>;
  verdicts: Map<string, Word>;
  accountKeys: Map<string, AccountKeyFacts>;
  recorded: Map<string, Word>;
  apis: ApiFacts[];
  batch: CoveringBatch | null;
  switched: boolean | null;
  happened: HappeningRow[];
}

const byKey = <Row extends { key_id: string }>(rows: readonly Row[]): Map<string, Row> =>
  new Map(rows.map((row) => [row.key_id, row]));

/** Reads what a key's story is made of, in the caller's one snapshot. */
export async function gatherFacts(session: ReadSession, scene: Scene, id: string): Promise<Facts> {
  const ask = async <Row>(sql: string, values: readonly unknown[]): Promise<Row[]> =>
    (await session.query<Row>(sql, values)).rows;
  const sharing = (await ask<{ id: string }>(sharingToken(scene), [id])).map((row) => row.id);
  const words = byKey(scene.ledger === null ? [] : await ask<Word>(recorded(scene), [sharing]));
  const concerned = [
    ...new Set([...sharing, ...words.keys(), ...[...words.values()].flatMap((word) => word.account_key_id ?? [])]),
  ];
  const sources = byKey(await ask<SourceFacts>(sourceRows(scene), [concerned]));
  const keys = byKey(scene.target ? await ask<AccountKeyFacts>(accountKeys(scene), [concerned]) : []);
  const account = sources.get(id)?.account_id ?? keys.get(words.get(id)?.account_key_id ?? id)?.account_id ?? null;
  const verdicts = byKey(await ask<Word>(verdictsOn(scene), [concerned]));
  return {
    id,
    sources,
    verdicts,
    accountKeys: keys,
    recorded: words,
    apis: await ask<ApiFacts>(apis(scene), scene.authorize ? [id] : []),
    ...(await ledgerFacts(session, scene, {
      id,
      account,
      moves: standing({ recorded: words, accountKeys: keys, verdicts }, id)?.accountKeyId != null,
    })),
  };
}

/** What became of a key, or will by the rules. */
export interface Standing {
  outcome: Outcome | 'born';
  reason: string | null;
  /** The account key that answers for a moved or merged key; null for all others, a key born in Settings included. */
  accountKeyId: string | null;
  /** False while only the rules say so. */
  settled: boolean;
}

/** The ledger's word and the new table come before the rules; undefined for a key nobody knows any more. */
export function standing(
  { recorded: words, accountKeys: keys, verdicts }: Pick<Facts, 'recorded' | 'accountKeys' | 'verdicts'>,
  id: string,
): Standing | undefined {
  const key = keys.get(id);
  if (key !== undefined) {
    const born = key.api_id === null;
    return { outcome: born ? 'born' : 'move', reason: null, accountKeyId: born ? null : id, settled: true };
  }
  const word = words.get(id) ?? verdicts.get(id);
  if (word === undefined) return undefined;
  const moved = word.outcome === 'move' || word.outcome === 'merge';
  return {
    outcome: word.outcome,
    reason: word.reason,
    accountKeyId: moved ? word.account_key_id : null,
    settled: words.has(id),
  };
}

async function ledgerFacts(
  session: ReadSession,
  scene: Scene,
  { id, account, moves }: { id: string; account: string | null; moves: boolean },
): Promise<Pick<Facts, 'batch' | 'switched' | 'happened'>> {
  if (scene.ledger === null) {
    return { batch: null, switched: null, happened: (await session.query<HappeningRow>(datesOf(scene), [id])).rows };
  }
  const rule =
    account === null ? undefined : await session.first<{ switched: boolean }>(switchedAccount(scene), [account]);
  return {
    batch: (await session.first<CoveringBatch>(coveringBatch(scene), [id])) ?? null,
    switched: isBegun(scene.ledger) && (rule?.switched ?? false),
    happened: (await session.query<HappeningRow>(happenings(scene), [id, account, moves])).rows,
  };
}
