import { isDeepStrictEqual } from 'node:util';
import { keyliftError } from '../../errors/keylift-error.js';
import { sameDatabase, type DatabaseIdentity } from './identity.js';
import type { SavedPlan } from './document.js';
import { driftOf, type Drift } from './drift.js';
import type { HoldsSummary } from './holds-summary.js';

/** The drift that is accepted: as written, and in millionths. */
export interface Tolerance {
  text: string;
  perMillion: number;
}

/** Accepted without `--tolerance`. */
export const DEFAULT_TOLERANCE: Tolerance = { text: '1%', perMillion: 10_000 };

/**
 * Compares a saved plan with a fresh one: the same database, mapping and holds, and numbers within the tolerance.
 *
 * @returns the drift within the tolerance
 * @throws `saved_plan_of_another`, `plan_drifted`
 */
export function requireReviewed(saved: SavedPlan, fresh: SavedPlan, tolerance: Tolerance): Drift[] {
  requireSameDatabase(saved.database, fresh.database);
  requireSameSettings(saved.settings, fresh.settings);
  requireSameHolds(saved.holds, fresh.holds);
  const { drift, beyond } = driftOf(saved.plan, fresh.plan, tolerance.perMillion);
  if (!beyond) return drift;
  throw keyliftError('plan_drifted', {
    message: `the database has drifted from the saved plan of ${saved.made_at} by more than ${tolerance.text}`,
    facts: { tolerance: tolerance.text, made_at: saved.made_at, drift },
  });
}

function requireSameDatabase(saved: DatabaseIdentity, now: DatabaseIdentity): void {
  if (sameDatabase(saved, now)) return;
  throw keyliftError('saved_plan_of_another', {
    message: `the saved plan is of another database: ${nameOf(saved)}, and this is ${nameOf(now)}`,
    facts: { plan_database: saved, database: now },
  });
}

const nameOf = ({ name, oid, cluster }: DatabaseIdentity): string =>
  `${name} (oid ${oid}${cluster === null ? '' : ` of cluster ${cluster}`})`;

function requireSameSettings(saved: SavedPlan['settings'], now: SavedPlan['settings']): void {
  const different = differentKeys(saved, now);
  if (different.length === 0) return;
  throw keyliftError('saved_plan_of_another', {
    message: `the saved plan is of another configuration; it differs in ${different.join(', ')}`,
    facts: { different },
  });
}

/** The keys of two settings that have different values, as paths. An absent key equals one without a value. */
function differentKeys(a: unknown, b: unknown, path = ''): string[] {
  if (!isObject(a) || !isObject(b)) return isDeepStrictEqual(a, b) ? [] : [path];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((key) =>
    differentKeys(a[key], b[key], path === '' ? key : `${path}.${key}`),
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

function requireSameHolds(saved: HoldsSummary, now: HoldsSummary): void {
  if (saved.sha256 === now.sha256) return;
  const counts = ({ keys, accounts }: HoldsSummary): string => `${String(keys)} keys and ${String(accounts)} accounts`;
  throw keyliftError('saved_plan_of_another', {
    message: `the saved plan holds other keys: ${counts(saved)} by id, and this run holds ${counts(now)}`,
    facts: { plan_holds: saved, holds: now },
    hint: 'Pass the --holds file of the saved plan, or review and save a plan with the present holds.',
  });
}
