/** A way through every stage, back and through again: each command, and who is answered from Settings after it. */
export const STATIONS = [
  ['migrate --yes --until expand', 'none'],
  ['migrate --yes --until backfill', 'none'],
  ['migrate --yes --until harden', 'none'],
  ['migrate --yes --until verify', 'none'],
  ['migrate --yes', 'all'],
  ['switch --back --yes', 'none'],
  ['switch --all --yes', 'all'],
  ['rollback --yes', 'none'],
  ['migrate --yes', 'all'],
] as const;
