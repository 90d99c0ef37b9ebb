import type { ApiOutcomes, Chronicle, Fate } from '../facts/document.js';
import { FATES } from './words.js';

export interface Totals {
  keys: Record<Fate, number>;
  alive: Record<Fate, number>;
  /** Of all fates together. */
  all: number;
}

/** Sums over these APIs, or over all. */
export function totals({ apis }: Pick<Chronicle, 'apis'>): Totals {
  const sum = (of: (api: ApiOutcomes) => Record<Fate, number>): Record<Fate, number> =>
    Object.fromEntries(FATES.map(({ fate }) => [fate, apis.reduce((n, api) => n + of(api)[fate], 0)])) as Record<
      Fate,
      number
    >;
  const keys = sum((api) => api.keys);
  return { keys, alive: sum((api) => api.alive), all: Object.values(keys).reduce((n, more) => n + more, 0) };
}

/** What an API is called on the page. */
export const nameOf = ({ origin, slug, api_id: id }: ApiOutcomes): string =>
  origin === 'custom' ? 'custom APIs' : origin === 'missing' ? 'no such API' : (slug ?? `API ${id ?? '?'}`);

/** The store's APIs with the most keys one by one, its others together, then custom and missing ones. */
export function shown(apis: readonly ApiOutcomes[], most: number): { name: string; api: ApiOutcomes }[] {
  const store = apis.filter(({ origin }) => origin === 'store');
  const rest = store.slice(most);
  return [
    ...store.slice(0, most).map((api) => ({ name: nameOf(api), api })),
    ...(rest.length === 0 ? [] : [{ name: `${String(rest.length)} more store APIs`, api: together(rest) }]),
    ...apis.filter(({ origin }) => origin !== 'store').map((api) => ({ name: nameOf(api), api })),
  ];
}

function together(apis: readonly ApiOutcomes[]): ApiOutcomes {
  const { keys, alive } = totals({ apis: [...apis] });
  return { origin: 'store', api_id: null, slug: null, keys, alive, exceptions_by_reason: {} };
}
