import { grouped } from '../format.js';
import { table } from '../console/layout.js';
import type { Plan } from '../plan/plan.js';
import type { Check } from './checks.js';
import type { Access, ListedKey } from './reading.js';

/** A chapter's heading and its text, in lines of 80 columns at most. */
export function chapter(title: string, lines: readonly string[] = []): string {
  return block(['', title, '-'.repeat(title.length), ...lines, ...(lines.length > 0 ? [''] : [])]);
}

/** A page that lists keys. */
export function keysPage(title: string, keys: readonly ListedKey[]): string {
  const rows = keys.map((key) => [key.name, key.created_at, toTheMinute(key.last_used_at), key.revoked ?? '']);
  return block([`  [ ${title} ]`, table([['Name', 'Created (UTC)', 'Last use', 'Revoked'], ...rows])]);
}

/** On a page the creation time is exact, and last use is not. */
const toTheMinute = (moment: string | null): string => moment?.slice(0, 16) ?? 'never';

/** What each key opens. NEW: it did not open the API `before`. */
export function matrix(access: readonly Access[], before?: readonly Access[]): string {
  const apis = [...new Map(access.map((pair) => [pair.api, pair])).values()];
  const keys = [...new Set(access.map((pair) => pair.key_id))];
  const wasOpen = new Set((before ?? access).filter((pair) => pair.answered_by !== null).map(nameOf));
  const cell = (pair: Access): string =>
    pair.answered_by === null ? '-' : wasOpen.has(nameOf(pair)) ? 'opens' : 'NEW';
  return block([
    table([
      ['', ...apis.map(({ api_name: name, in_store: inStore }) => (inStore ? name : `${name}*`))],
      ...keys.map((id) => {
        const own = access.filter((pair) => pair.key_id === id);
        return [own[0]!.key, ...apis.map(({ api }) => cell(own.find((pair) => pair.api === api)!))];
      }),
    ]),
    ...(apis.some(({ in_store: inStore }) => !inStore) ? ['  * a custom API; all others are in the API Store'] : []),
  ]);
}

const nameOf = ({ key_id: id, api }: Access): string => `${id} ${api}`;

const OUTCOMES: Record<keyof Plan['outcomes'], string> = {
  move: 'become account keys',
  stay: 'belong to a custom API and stay as they are',
  merge: 'are duplicates of another key, and merge into it',
  hold: 'are held back by the operator',
  exception: 'need a decision of the operator, and work as before',
};

/** The plan's numbers, and what widening opens. */
export function planNumbers(plan: Plan): string {
  const { widening: w } = plan;
  return block([
    table(
      Object.entries(OUTCOMES).map(([outcome, meaning]) => [
        outcome,
        plan.outcomes[outcome as keyof Plan['outcomes']],
        meaning,
      ]),
    ),
    ...plan.exceptions.map(({ key_id: id, reason }) => `             key ${id}: ${reason}`),
    '',
    `  ${grouped(w.keys)} alive keys of ${grouped(w.accounts)} accounts will open all ${grouped(w.store_apis)} store APIs;`,
    `  ${grouped(w.dormant_keys)} of these keys ${w.dormant_keys === 1 ? 'was' : 'were'} not used in 90 days.`,
  ]);
}

/** Each check, and whether it passed. */
export const checkList = (checks: readonly Check[]): string =>
  block(checks.map(({ check, ok }) => `  ${ok ? 'ok    ' : 'FAILED'}  ${check}`));

const block = (lines: readonly string[]): string => `${lines.join('\n')}\n`;
