import type { MappedSchema } from '../legacy/inspect.js';
import { copyRange, explainRest, findRepeated } from './backfill/statements.js';

export interface ShownStatement {
  title: string;
  text: string;
}

/** The statements that touch the big tables, as they run. */
export function planStatements({ legacy: l, types }: MappedSchema): ShownStatement[] {
  return [
    { title: 'find repeated tokens (once)', text: findRepeated(l) },
    { title: 'copy one range of keys ($1 < id <= $2), one transaction a batch', text: copyRange(l, types.id, { present: true, outcomes: true, holds: true }) },
    { title: 'account for every row of the range that has no account key', text: explainRest(l, { idType: types.id, holds: true }) },
  ];
}
