import { isBegun, reached } from '../ledger/states.js';
import type { AccountKeyRow, ApiName, KeyStory, Opens, Partner, SourceRow } from './document.js';
import { standing, type AccountKeyFacts, type ApiFacts, type Facts, type SourceFacts, type Standing } from './facts.js';
import { happeningText, why } from './reasons.js';
import type { Scene } from './scene.js';

/** A key's story from what is known of it; undefined when it went away while we looked. Pure. */
export function tellStory(
  facts: Facts,
  { ledger, authorize }: Pick<Scene, 'ledger' | 'authorize'>,
): KeyStory | undefined {
  const { id, batch } = facts;
  const stands = standing(facts, id);
  if (stands === undefined) return undefined;
  const source = facts.sources.get(id);
  const key = facts.accountKeys.get(stands.accountKeyId ?? id);
  const shown = source ?? key;
  const looked = isBegun(ledger) && (reached(ledger.stage, 'backfill') || batch?.state === 'done');
  const verdict = facts.verdicts.get(id);
  // After finalize what was set aside stays as it is, whatever is mended: no migrate looks again.
  const over = ledger !== null && reached(ledger.stage, 'finalize');
  const differs =
    !over &&
    stands.settled &&
    verdict !== undefined &&
    (verdict.outcome !== stands.outcome || verdict.reason !== stands.reason);
  return {
    key_id: id,
    fingerprint: shown?.fingerprint ?? null,
    name: shown?.name ?? null,
    account_id: shown?.account_id ?? null,
    account: shown?.account ?? null,
    outcome: stands.outcome,
    reason: stands.reason,
    settled: stands.settled || (stands.outcome === 'stay' && looked),
    why: why(id, stands),
    next: differs ? { outcome: verdict.outcome, reason: verdict.reason } : null,
    source: source === undefined ? null : sourceRow(source),
    account_key: key === undefined ? null : accountKeyRow(key),
    batch: stands.outcome === 'born' ? null : batch,
    shares_token_with: partners(facts),
    opens: opens(facts, stands, { authorize }),
    switched: facts.switched,
    since: facts.happened
      .filter(({ kind }) => !(kind === 'batch' && stands.outcome === 'born'))
      .map(({ at, kind, facts: more }) => ({ at, kind, text: happeningText(kind, more) })),
  };
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

function accountKeyRow({ api_id, slug, ...rest }: AccountKeyFacts): AccountKeyRow {
  return { ...rest, origin_api: apiName(api_id, slug) };
}

const apiName = (id: string | null, slug: string | null): ApiName | null => (id === null ? null : { id, slug });

/** Every other key with the token: merge partners, and whoever stands in the way of a move. */
function partners(facts: Facts): Partner[] {
  const ids = new Set([...facts.sources.keys(), ...facts.accountKeys.keys(), ...facts.recorded.keys()]);
  ids.delete(facts.id);
  return [...ids].map((id) => {
    const row = facts.sources.get(id) ?? facts.accountKeys.get(id);
    const stands = standing(facts, id);
    return {
      key_id: id,
      account_id: row?.account_id ?? null,
      api: row === undefined ? null : apiName(row.api_id, row.slug),
      name: row?.name ?? null,
      outcome: stands?.outcome ?? null,
      reason: stands?.reason ?? null,
    };
  });
}

/**
 * APIs that let the key in, an account key together with the rows merged into it. A token that several keys hold lets
 * in under one of them: the old rule prefers the earliest row of the API, and the new rule asks it first, too.
 */
function opens(facts: Facts, { outcome, accountKeyId }: Standing, { authorize }: Pick<Scene, 'authorize'>): Opens {
  const rows = oldRows(facts);
  const together = new Set([
    facts.id,
    ...rows
      .map((row) => row.key_id)
      .filter((id) => accountKeyId !== null && standing(facts, id)?.accountKeyId === accountKeyId),
  ]);
  if (accountKeyId !== null) together.add(accountKeyId);
  const first = new Map<string | null, string>();
  for (const row of rows) if (row.alive && !first.has(row.api_id)) first.set(row.api_id, row.key_id);
  const answers = (api: ApiFacts): string | undefined => first.get(api.api_id);
  const before = (api: ApiFacts): boolean => together.has(answers(api) ?? '');
  const key = facts.accountKeys.get(accountKeyId ?? facts.id) ?? facts.sources.get(accountKeyId ?? '');
  const widened = key?.alive === true && (accountKeyId !== null || outcome === 'born');
  const slugs = (chosen: (api: ApiFacts) => boolean): string[] =>
    facts.apis.filter(chosen).map((api) => api.slug ?? `#${api.api_id}`);
  return {
    before: slugs(before),
    after: slugs((api) => before(api) || (widened && api.in_store && answers(api) === undefined)),
    now: authorize ? slugs((api) => together.has(api.answers ?? '')) : null,
  };
}

/** Rows the old rule knew; after a purge the account keys stand for theirs. */
function oldRows({ sources, accountKeys }: Facts): Pick<SourceFacts, 'key_id' | 'api_id' | 'alive'>[] {
  return [
    ...[...sources.values()].filter((row) => row.has_token),
    ...[...accountKeys.values()].filter((key) => key.api_id !== null && !sources.has(key.key_id)),
  ];
}
