/** Keys by class: an outcome, an exception's reason, or `widened` for a living key that moves. */
export type Classes = Record<string, number>;

/** SQL: the keys of `rows` (what stands after FROM) by the class that `column` says, as a JSON object. */
export const keysByClass = (column: string, rows: string): string =>
  `(SELECT coalesce(jsonb_object_agg(class, keys), '{}') FROM (SELECT ${column} AS class, count(*) AS keys FROM ${rows} GROUP BY 1) c)`;

/** Adds counts by class to others, or takes them out. */
export function addCounts(to: Classes, counted: Classes, sign: 1 | -1): void {
  for (const [name, keys] of Object.entries(counted)) to[name] = (to[name] ?? 0) + sign * keys;
}
