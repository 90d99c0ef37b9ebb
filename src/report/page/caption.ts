import { grouped } from '../../format.js';
import type { ReportFacts } from '../facts/document.js';
import { totals } from './totals.js';

/** When account keys open what the picture shows. */
export function captionAfter({ migration, status, apis }: ReportFacts): string {
  const { to_come: toCome } = totals({ apis }).keys;
  if (migration.state === 'rolled_back') return 'Rolled back: per-API keys open what they opened before.';
  const open = toCome === 0 ? '' : ` ${grouped(toCome)} keys have no outcome yet and count as before.`;
  if (status.switched === 'all') return `Every account is switched.${open}`;
  return `When every account is switched; ${status.switched === 'some' ? 'some are' : 'none is yet'}.${open}`;
}
