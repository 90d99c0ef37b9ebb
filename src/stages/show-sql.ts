import type { MappedSchema } from '../mapping/inspect.js';
import { copyRange, listOrphans, listRepeated } from './backfill/statements.js';

export interface ShownStatement {
  title: string;
  text: string;
}

/** The statements that touch the big tables, as they run. */
export function planStatements({ legacy: l, types }: MappedSchema): ShownStatement[] {
  return [
    { title: 'list the keys with repeated tokens (once)', text: listRepeated(l) },
    { title: 'list the keys whose account is missing (once)', text: listOrphans(l) },
    {
      title: 'copy one range of keys ($1 < id <= $2) and account for each, one transaction a batch',
      text: copyRange(l, types.id, { present: true, outcomes: true, listed: true, holds: true }),
    },
  ];
}
