import type { Standing } from './facts.js';

/** What each reason of an exception means for the key. */
export const EXCEPTIONS: Record<string, string> = {
  missing_api: 'the API it was made in is not there; it opens nothing, and a person must say what becomes of it',
  missing_account: 'the account it belongs to is not there; it works as before, until a person says whose it is',
  missing_token: 'its token is NULL or empty, which no client sends; it works as before',
  missing_created_at: 'it has no creation date, which Settings lists keys by; it works as before',
  shared_token:
    'a key of another account, or one born in Settings, has the same token: as an account key it would open the store for somebody else; it works as before',
  conflicting_status:
    'keys of this account with the same token live differently (alive and dead, or with different expiries), and one account key cannot be both; it works as before',
};

/** The rule behind an outcome, as one sentence. */
export function why(id: string, { outcome, reason, accountKeyId }: Standing): string {
  switch (outcome) {
    case 'move':
      return 'a key of a store API with account, token and creation date becomes an account key, under its own id';
    case 'stay':
      return 'a key of a custom API stays where it is and opens what it opened';
    case 'merge':
      return `key ${accountKeyId ?? '?'} has the same token, account and life and was created earlier; its account key answers for key ${id}, too`;
    case 'hold':
      return 'the holds name it, its account, or another key of the account with its token; it goes on as it was';
    case 'born':
      return 'it was made in Settings and opens every store API from its first moment';
    case 'exception':
      return EXCEPTIONS[reason ?? ''] ?? 'the rules cannot move it; it works as before';
  }
}

const WORDS: Record<string, string> = {
  last_used: 'last used',
  revoked: 'revoked',
  expired: 'expired',
  switched: 'its account was switched: answered from Settings',
  switched_back: 'its account was switched back: answered by per-API keys',
  accounts_rolled_back: 'its account was taken back and is held until the next migrate',
  rolled_back: 'the migration was taken back: every account on its per-API keys',
  finalized: 'finalized: the moved per-API rows went to the archive',
  purged: 'the archive was purged: no way back from here',
};

/** What happened, in words. */
export function happeningText(kind: string, facts: unknown): string {
  if (kind === 'settled') return `judged: ${(facts as { outcome: string }).outcome}`;
  if (kind === 'batch') return `batch ${(facts as { batch: string }).batch} went over its range`;
  return WORDS[kind] ?? kind;
}
