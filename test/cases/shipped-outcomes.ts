/** What must become of every key of the shipped cases, derived by hand from the rules of the move, key by key. */
export interface ExpectedOutcomes {
  /** Ids that arrive in Settings. */
  move: string[];
  merge?: string[];
  hold?: string[];
  stay?: string[];
  /** Ids by reason. */
  exceptions?: Record<string, string[]>;
  /** Pairs (token of a living moved key, store API) that were shut before. */
  gained: number;
}

/** `ids(201, [203, 205], 'x')`: numbers, ranges from and to inclusive, and ids too large for a number. */
const ids = (...parts: (number | [number, number] | string)[]): string[] =>
  parts.flatMap((part) => {
    if (!Array.isArray(part)) return [String(part)];
    return Array.from({ length: part[1] - part[0] + 1 }, (_, index) => String(part[0] + index));
  });

export const OUTCOMES: Record<string, ExpectedOutcomes> = {
  'account-without-keys': { move: ids(801), gained: 1 },
  'custom-apis': { move: ids(101, 110), stay: ids([102, 109], 111), gained: 2 },
  'dangling-keys': {
    move: ids(601, 615),
    stay: ids(614),
    gained: 2,
    exceptions: {
      missing_api: ids(602, 603, 610, 613),
      missing_account: ids(604, 605, 611),
      missing_token: ids(606, 607, 608, 612),
      missing_created_at: ids(609),
    },
  },
  demo: { move: ids([10, 12], 14), stay: ids(13), gained: 6, exceptions: { missing_account: ids(15) } },
  dates: { move: ids([501, 529]), gained: 27 },
  'holds-by-account': {
    move: ids(701, 712),
    stay: ids(703),
    hold: ids(702, 704, 706, [708, 711]),
    gained: 2,
    exceptions: { missing_api: ids(705), shared_token: ids(707) },
  },
  'holds-by-key': {
    move: ids(754, 760),
    stay: ids(755),
    hold: ids(751, 752, 756, 758, 759),
    gained: 4,
    exceptions: { shared_token: ids(753), missing_created_at: ids(757) },
  },
  ids: {
    move: ids(-3, 0, 1, 999, 5_000_000, '9007199254740992', '9007199254740994', '4611686018427387905'),
    merge: ids(1000, '9007199254740993'),
    stay: ids('9007199254740995'),
    gained: 6,
    exceptions: { shared_token: ids('9007199254740997', '9007199254740999') },
  },
  'nothing-to-do': { move: [], gained: 0 },
  'nothing-to-do-custom': { move: [], stay: ids([811, 813]), gained: 0 },
  'odd-names': { move: ids([301, 331]), gained: 31 },
  'repeated-same-account': {
    move: ids(402, 403, 405, 415, [421, 423]),
    merge: ids(401, 404, 406, 416, 417),
    gained: 9,
    exceptions: { conflicting_status: ids([407, 414], [418, 420]) },
  },
  'repeated-token-custom': { move: ids(471, 474, 476, 479), merge: ids(473), stay: ids(472, 475, 477, 478), gained: 2 },
  'repeated-token-dangling': {
    move: ids(481, 483, 485, 487),
    merge: ids(488),
    gained: 3,
    exceptions: { missing_created_at: ids(482, 486, 489), missing_api: ids(484) },
  },
  'repeated-two-accounts': { move: ids(462), gained: 2, exceptions: { shared_token: ids([451, 461]) } },
  'revoked-expired': { move: ids([201, 209], 211, 212), stay: ids(210), gained: 3 },
  story: { move: ids(11, 12, 14), stay: ids(13), gained: 6 },
};
