import type { ApiOutcomes, ReportFacts, ReportOutcome } from '../facts/document.js';

export interface Totals {
  keys: Record<ReportOutcome, number>;
  alive: Record<ReportOutcome, number>;
  /** Keys of all outcomes together. */
  all: number;
}

/** Sums over these APIs. */
export function totals({ apis }: Pick<ReportFacts, 'apis'>): Totals {
  const sum = (of: (api: ApiOutcomes) => Record<ReportOutcome, number>): Record<ReportOutcome, number> => {
    const count = (outcome: ReportOutcome): number => apis.reduce((n, api) => n + of(api)[outcome], 0);
    return {
      move: count('move'),
      merge: count('merge'),
      stay: count('stay'),
      hold: count('hold'),
      exception: count('exception'),
      to_come: count('to_come'),
    };
  };
  const keys = sum((api) => api.keys);
  return { keys, alive: sum((api) => api.alive), all: Object.values(keys).reduce((n, more) => n + more, 0) };
}

/** The name of an API on the page. */
export const nameOf = ({ origin, slug, api_id: id }: ApiOutcomes): string =>
  origin === 'custom'
    ? 'custom APIs'
    : origin === 'missing'
      ? 'missing APIs'
      : (slug ?? (id === null ? 'own APIs of the account' : `API ${id}`));

/** The `most` store APIs with the most keys, the other store APIs as one, then custom and missing APIs. */
export function shown(apis: readonly ApiOutcomes[], most: number): { name: string; api: ApiOutcomes }[] {
  const store = apis.filter(({ origin }) => origin === 'store');
  const rest = store.slice(most);
  return [
    ...store.slice(0, most).map((api) => ({ name: nameOf(api), api })),
    ...(rest.length === 0 ? [] : [{ name: `${String(rest.length)} more store APIs`, api: combined(rest) }]),
    ...apis.filter(({ origin }) => origin !== 'store').map((api) => ({ name: nameOf(api), api })),
  ];
}

function combined(apis: readonly ApiOutcomes[]): ApiOutcomes {
  const { keys, alive } = totals({ apis: [...apis] });
  return { origin: 'store', api_id: null, slug: null, keys, alive, exceptions_by_reason: {} };
}
