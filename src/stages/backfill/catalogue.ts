import type { Statement } from '../../database/sql.js';
import { COUNTED_ENDS } from '../../ledger/counted.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { analyze, copyStatement, lookAtRange } from './copy-statements.js';
import { listOrphans, listRepeated, LOCK_LINES, settleListed, takeListed } from './listed-statements.js';
import {
  CLAIM_RANGES,
  cutRanges,
  FINISH_BATCH,
  JOIN_RANGES,
  NOTE_FAILURE,
  REMOVE_UNCUT,
  RETRY_FAILED,
  splitRange,
} from './range-statements.js';
import { countUnaccounted, settlePage, unaccounted, worthSettlingAgain } from './sweep-statements.js';

/** What the backfill runs, in order. */
export const backfillStatements = (schema: MappedSchema): Statement[] => [
  ...settlingAgain(schema),
  ...preparing(schema),
  ...copying(schema),
  ...settlingListed(schema),
  ...sweeping(schema),
];

/** What the mirror settled since expand, before the list of holds. */
function settlingAgain({ legacy: l, types }: MappedSchema): Statement[] {
  return [
    {
      title: 'find keys whose verdict may have changed',
      text: worthSettlingAgain(l, { holds: true }),
      variants: {
        differ: 'the holds are left out where there are none',
        texts: [worthSettlingAgain(l, { holds: false })],
      },
    },
    { title: 'settle a page of them', text: settlePage(l, types.id) },
  ];
}

function preparing(schema: MappedSchema): Statement[] {
  return [
    { title: 'cut the keys into ranges', text: cutRanges(schema.legacy) },
    { title: 'take the one open range away', text: REMOVE_UNCUT },
    { title: 'list the keys with repeated tokens (once)', text: listRepeated(schema) },
    { title: 'list the keys whose account is missing (once)', text: listOrphans(schema) },
    { title: 'try again what an earlier run had to leave', text: RETRY_FAILED },
  ];
}

function copying({ legacy: l, types }: MappedSchema): Statement[] {
  return [
    { title: 'claim the next ranges', text: CLAIM_RANGES },
    { title: 'look at what a range holds already', text: lookAtRange(l, types.id) },
    copyStatement(l, types.id),
    { title: 'join the lines of ranges that were copied together', text: JOIN_RANGES },
    { title: "write the batch's line of the ledger", text: FINISH_BATCH },
    { title: 'note a failed try of a range', text: NOTE_FAILURE },
    { title: 'split a range that took too long', text: splitRange(l) },
    { title: 'statistics of the new table, after the first batch', text: analyze(l) },
  ];
}

function settlingListed({ legacy: l }: MappedSchema): Statement[] {
  return [
    { title: 'settle a page of the listed keys', text: settleListed(l) },
    { title: 'lock the lines of the ledger', text: LOCK_LINES },
    { title: 'take the page off the list and correct the lines', text: takeListed(l) },
  ];
}

function sweeping({ legacy: l, types }: MappedSchema): Statement[] {
  return [
    { title: 'cut the copied keys into chunks', text: COUNTED_ENDS },
    { title: 'count what is not accounted for in a chunk', text: countUnaccounted(l, types.id) },
    { title: 'where something is: find it, to settle it', text: unaccounted(l) },
  ];
}
