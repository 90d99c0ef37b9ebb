import type { Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { idsOf, logKeys, mayHaveChanged, settleIds, unaccounted } from '../settle-again.js';
import { APPLY_PAGE, COUNT_ENTRIES } from './change-log.js';
import { SETTLE_PAGE, takePage } from './listed-keys.js';
import { keysWithoutAccount, tokensOfSeveral, unfitKeys } from './statements.js';

/** What harden runs between its indexes and the step that turns the mirror on. */
export function beforeMirror({ legacy: l }: MappedSchema): Statement[] {
  const [withHolds, withoutHolds] = [true, false].map((holds) => logKeys(mayHaveChanged(l, { holds })));
  return [
    {
      title: 'log the keys whose verdict may have changed',
      text: withHolds!,
      variants: { differ: 'the holds are left out where there are none', texts: [withoutHolds!] },
    },
    { title: 'decide a page of listed keys', text: SETTLE_PAGE },
    { title: 'write the page into the ledger', text: takePage(l.target) },
    { title: 'count the entries of the change log', text: COUNT_ENTRIES },
    { title: 'apply a page of the change log', text: APPLY_PAGE },
  ];
}

/** What harden runs where an index or a constraint is refused. */
export const whereRefused = ({ legacy: l, types }: MappedSchema): Statement[] => [
  { title: 'where the index is refused: find account keys with one token, to settle them', text: tokensOfSeveral(l) },
  {
    title: 'where a constraint is refused: find keys without their account, to settle them',
    text: keysWithoutAccount(l),
  },
  {
    title: 'where a constraint is refused: find keys that were written past the triggers, to settle them',
    text: idsOf(unaccounted(l)),
  },
  { title: 'settle a page of the keys that were found', text: settleIds(types.id) },
  { title: 'where a constraint is refused: name the native keys that do not fit', text: unfitKeys(l) },
];

/** What every later run does first: time, holds or another table may have changed a verdict. */
export function settlingAgain({ legacy: l }: MappedSchema): Statement[] {
  const [withHolds, withoutHolds] = [true, false].map((holds) => idsOf(mayHaveChanged(l, { holds })));
  return [
    {
      title: 'in a later run: find the keys whose verdict may have changed, to settle them',
      text: withHolds!,
      variants: { differ: 'the holds are left out where there are none', texts: [withoutHolds!] },
    },
  ];
}
