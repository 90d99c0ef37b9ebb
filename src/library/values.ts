import { checkAccounts, readAccounts } from '../operations/accounts.js';
import type { Opened } from '../operations/opened.js';
import { percentOf, type Percent } from '../operations/percent.js';
import type { SwitchScope } from '../stages/switch/rule.js';
import { invalid } from './check-options.js';
import type { Accounts, SwitchOptions } from './options.js';

/** The tolerance of `migrate`. @throws `option_invalid` */
export function toleranceOf(text: string | undefined): Percent | undefined {
  if (text === undefined) return undefined;
  const percent = percentOf(text);
  if (percent === undefined) throw invalid('migrate', ['tolerance must be a percentage from 0% to 100%, such as "1%"']);
  return percent;
}

/** The ids of accounts, all of which must exist. @throws `list_unreadable`, `list_invalid` */
export const accountsOf = (opened: Opened, accounts: Accounts): Promise<string[]> =>
  typeof accounts === 'string' ? readAccounts(opened, accounts) : checkAccounts(opened, accounts);

/**
 * Whose keys a switch concerns; the ids of accounts are checked on the database.
 *
 * @throws `option_invalid` where the accounts are named in no way, or in two
 */
export function scopeOf({
  all = false,
  cohort,
  accounts,
  back = false,
}: SwitchOptions): (opened: Opened) => Promise<SwitchScope> {
  const named = [all, cohort !== undefined, accounts !== undefined].filter(Boolean).length;
  if (named > 1) throw invalid('switchAccounts', ['all, cohort and accounts exclude each other']);
  if (named === 0 && !back) throw invalid('switchAccounts', ['name the accounts: all, cohort or accounts']);
  if (accounts !== undefined) return async (opened) => ({ kind: 'accounts', ids: await accountsOf(opened, accounts) });
  const scope: SwitchScope = cohort === undefined ? { kind: 'all' } : { kind: 'cohort', perMillion: shareOf(cohort) };
  return () => Promise.resolve(scope);
}

function shareOf(cohort: string): number {
  const { perMillion = 0 } = percentOf(cohort) ?? {};
  if (perMillion === 0) throw invalid('switchAccounts', ['cohort must be a percentage above 0%, such as "5%"']);
  return perMillion;
}
