import { sql } from '../database/sql.js';

/** What a plan counts of one class of keys. */
export interface Counted {
  keys: number;
  dormant: number;
}

/** Keys by class: an outcome, an exception's reason, or `widened` for a living key that moves. */
export type Classes = Record<string, Counted>;

/** The class of a key by its outcome, or its reason where it is an exception. */
export const classOf = (outcome: string, alive: string): string => sql`
  CASE
    WHEN ${outcome} = 'move' AND ${alive} THEN 'widened'
    ELSE ${outcome}
  END`;

/** The keys of `rows`, what stands after FROM, by class, as a JSON object that is read as `Classes`. */
export const countByClass = (rows: string, { className = 'class', dormant = 'dormant' } = {}): string => sql`
  SELECT coalesce(jsonb_object_agg(class, jsonb_build_object('keys', keys, 'dormant', dormant)), '{}')
  FROM (
    SELECT ${className} AS class, count(*) AS keys, count(*) FILTER (WHERE ${dormant}) AS dormant
    FROM ${rows}
    GROUP BY 1
  ) counted`;

/** Sums up classes, or takes some of them out with `-1`. */
export function addClasses(sum: Classes, more: Classes, sign: 1 | -1 = 1): Classes {
  const result = { ...sum };
  for (const [name, { keys, dormant }] of Object.entries(more)) {
    const before = result[name] ?? { keys: 0, dormant: 0 };
    result[name] = { keys: before.keys + sign * keys, dormant: before.dormant + sign * dormant };
  }
  return result;
}
