import { reached } from '../ledger/states.js';
import type { AccountKeyRow, ApiName, KeyExplanation, Opens, SharingKey, SourceRow } from './document.js';
import {
  outcomeOf,
  type AccountKeyFacts,
  type ApiFacts,
  type CurrentOutcome,
  type Facts,
  type SourceFacts,
} from './facts.js';
import type { Sources } from './sources.js';
import { eventText, why } from './wording.js';

type Migration = Pick<Sources, 'ledger' | 'authorize'>;

/** Explains a key from its facts; undefined when the key was deleted in the meantime. */
export function explanationOf(facts: Facts, { ledger, authorize }: Migration): KeyExplanation | undefined {
  const { id, batch } = facts;
  const current = outcomeOf(facts, id);
  if (current === undefined) return undefined;
  const { outcome, reason, accountKeyId } = current;
  const source = facts.sources.get(id);
  const key = facts.accountKeys.get(accountKeyId ?? id);
  const shown = source ?? key;
  return {
    key_id: id,
    fingerprint: shown?.fingerprint ?? null,
    name: shown?.name ?? null,
    account_id: shown?.account_id ?? null,
    account: shown?.account ?? null,
    outcome,
    reason,
    settled: current.settled || (outcome === 'stay' && isProcessed(facts, ledger)),
    why: why(id, current),
    next: nextOutcome(facts, current, ledger),
    source: source === undefined ? null : sourceRow(source),
    account_key: key === undefined ? null : accountKeyRow(key),
    batch: outcome === 'born' ? null : batch,
    shares_token_with: sharingKeys(facts),
    opens: opens(facts, current, { authorize }),
    switched: facts.switched,
    since: facts.events
      .filter(({ kind }) => !(kind === 'batch' && outcome === 'born'))
      .map(({ at, kind, facts: details }) => ({ at, kind, text: eventText(kind, details) })),
  };
}

/** The ledger has no row for a key that stays, so its batch tells whether the outcome is final. */
const isProcessed = ({ batch }: Facts, ledger: Migration['ledger']): boolean =>
  ledger !== null && ledger.state !== 'rolled_back' && (reached(ledger.stage, 'backfill') || batch?.state === 'done');

/** After finalize no `migrate` decides again, so an exception keeps its outcome even when its cause is repaired. */
function nextOutcome(
  { id, verdicts }: Facts,
  { outcome, reason, settled }: CurrentOutcome,
  ledger: Migration['ledger'],
): KeyExplanation['next'] {
  const verdict = verdicts.get(id);
  const isFinal = ledger !== null && reached(ledger.stage, 'finalize');
  if (isFinal || !settled || verdict === undefined) return null;
  const differs = verdict.outcome !== outcome || verdict.reason !== reason;
  return differs ? { outcome: verdict.outcome, reason: verdict.reason } : null;
}

function sourceRow(facts: SourceFacts): SourceRow {
  const { stored_in, account_id, account, name, alive, created_at, last_used_at, revoked_at, expires_at } = facts;
  return {
    stored_in,
    account_id,
    account,
    api: apiName(facts.api_id, facts.slug),
    name,
    alive,
    created_at,
    last_used_at,
    revoked_at,
    expires_at,
  };
}

const accountKeyRow = ({ api_id, slug, ...rest }: AccountKeyFacts): AccountKeyRow => ({
  ...rest,
  origin_api: apiName(api_id, slug),
});

const apiName = (id: string | null, slug: string | null): ApiName | null => (id === null ? null : { id, slug });

/** Every other key with the token: merged keys, and keys that prevent a move. */
function sharingKeys(facts: Facts): SharingKey[] {
  const ids = new Set([...facts.sources.keys(), ...facts.accountKeys.keys(), ...facts.recorded.keys()]);
  ids.delete(facts.id);
  return [...ids].map((id) => {
    const row = facts.sources.get(id) ?? facts.accountKeys.get(id);
    const current = outcomeOf(facts, id);
    return {
      key_id: id,
      account_id: row?.account_id ?? null,
      api: row === undefined ? null : apiName(row.api_id, row.slug),
      name: row?.name ?? null,
      outcome: current?.outcome ?? null,
      reason: current?.reason ?? null,
    };
  });
}

/**
 * The APIs that the key opens. An account key and the keys merged into it count as one. A token of several keys opens
 * an API for one of them: the old rule prefers the earliest row of the API, and the new rule applies the old one first.
 */
function opens(
  facts: Facts,
  { outcome, accountKeyId }: CurrentOutcome,
  { authorize }: Pick<Sources, 'authorize'>,
): Opens {
  const rows = rowsOfOldRule(facts);
  const merged = rows.filter(
    ({ key_id: id }) => accountKeyId !== null && outcomeOf(facts, id)?.accountKeyId === accountKeyId,
  );
  const sameKey = new Set([facts.id, ...merged.map((row) => row.key_id)]);
  if (accountKeyId !== null) sameKey.add(accountKeyId);
  const first = new Map<string | null, string>();
  for (const row of rows) if (row.alive && !first.has(row.api_id)) first.set(row.api_id, row.key_id);
  const answeringKey = (api: ApiFacts): string | undefined => first.get(api.api_id);
  const before = (api: ApiFacts): boolean => sameKey.has(answeringKey(api) ?? '');
  const key = facts.accountKeys.get(accountKeyId ?? facts.id) ?? facts.sources.get(accountKeyId ?? '');
  const isWidened = key?.alive === true && (accountKeyId !== null || outcome === 'born');
  const slugs = (includes: (api: ApiFacts) => boolean): string[] =>
    facts.apis.filter(includes).map((api) => api.slug ?? `#${api.api_id}`);
  return {
    before: slugs(before),
    after: slugs((api) => before(api) || (isWidened && api.in_store && answeringKey(api) === undefined)),
    now: authorize ? slugs((api) => sameKey.has(api.answering_key ?? '')) : null,
  };
}

/** The rows that the old rule reads. After a purge the account keys replace them. */
function rowsOfOldRule({ sources, accountKeys }: Facts): Pick<SourceFacts, 'key_id' | 'api_id' | 'alive'>[] {
  return [
    ...[...sources.values()].filter((row) => row.has_token),
    ...[...accountKeys.values()].filter((key) => key.api_id !== null && !sources.has(key.key_id)),
  ];
}
