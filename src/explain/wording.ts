import type { CurrentOutcome } from './facts.js';

/** What each reason of an exception means for the key. */
export const EXCEPTIONS: Record<string, string> = {
  missing_api: 'its API does not exist; it opens nothing, and a person must decide what to do with it',
  missing_account: 'its account does not exist; it works as before until a person names its account',
  missing_token: 'its token is NULL or empty, which no client sends; it works as before',
  missing_created_at: 'it has no creation date, by which Settings lists keys; it works as before',
  shared_token:
    'a key of another account, or a native key, has the same token: an account key would open the store for the ' +
    'other owner, too; it works as before',
  conflicting_status:
    'keys of this account with the same token differ in life (alive or dead, or different expiries), and one account ' +
    'key cannot have both; it works as before',
  not_carried:
    'the new table refused it, by a trigger or a constraint of the platform; it works as before, and the next ' +
    'migrate tries again',
};

/** The rule behind an outcome, as one sentence. */
export function why(id: string, { outcome, reason, accountKeyId }: CurrentOutcome): string {
  switch (outcome) {
    case 'move':
      return 'a key of a store API with account, token and creation date becomes an account key with the same id';
    case 'stay':
      return 'a key of a custom API stays in its table and opens what it opened before';
    case 'merge':
      return mergeText(id, accountKeyId);
    case 'hold':
      return 'a hold names it, its account, or another key of the account with its token; it works as before';
    case 'born':
      return 'it was created in Settings and opens every store API from its first moment';
    case 'exception':
      return EXCEPTIONS[reason ?? ''] ?? 'the rules cannot move it; it works as before';
  }
}

const mergeText = (id: string, accountKeyId: string | null): string =>
  `key ${accountKeyId ?? '?'} has the same token, account and life and was created earlier; ` +
  `its account key answers for key ${id}, too`;

const EVENTS: Record<string, string> = {
  last_used: 'last used',
  revoked: 'revoked',
  expired: 'expired',
  switched: 'its account was switched: answered from Settings',
  switched_back: 'its account was switched back: answered by per-API keys',
  accounts_rolled_back: 'its account was rolled back and is on hold until the next migrate',
  rolled_back: 'the migration was rolled back: every account is on its per-API keys',
  finalized: 'finalized: the moved per-API rows are in the archive',
  purged: 'the archive was purged: a rollback is no longer possible',
};

/** An event of a key, as a sentence. */
export function eventText(kind: string, facts: unknown): string {
  if (kind === 'settled') return `outcome assigned: ${(facts as { outcome: string }).outcome}`;
  if (kind === 'batch') return `batch ${(facts as { batch: string }).batch} processed its range`;
  return EVENTS[kind] ?? kind;
}
