import { counted } from '../format.js';
import type { UninstallReport } from '../stages/uninstall/uninstall.js';
import { wrap } from './layout.js';

/** The result of `uninstall`. */
export function uninstallText(report: UninstallReport, target: string): string {
  return `${wrap(sentenceOf(report, target), { rest: '  ' })}\n`;
}

function sentenceOf({ uninstalled, account_keys: table, kept_keys: keys }: UninstallReport, target: string): string {
  if (!uninstalled) return 'Nothing to uninstall: the database has no schema keylift.';
  if (table === 'kept')
    return `Uninstalled. ${counted(keys, 'account key')} stay in ${target}, which is the platform's table now.`;
  return 'Uninstalled: schema keylift and everything else that keylift created are removed.';
}
