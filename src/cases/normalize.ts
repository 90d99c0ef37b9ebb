/** Fields of `plan` and `verify` that differ between two runs of the same case. */
const VOLATILE_FIELDS = new Set([
  'at',
  'batches',
  'batch_size',
  'checked_at',
  'database',
  'duration',
  'eta',
  'finished_at',
  'generated_at',
  'rate',
  'rows_per_second',
  'run',
  'run_id',
  'seconds',
  'server',
  'server_version',
  'started_at',
  'version',
]);
const VOLATILE_ENDINGS = ['_seconds', '_ms', '_per_second'];

/** Replaces a volatile value, so that the snapshot still shows its field. */
export const VARIES = '(varies)';

/** A copy of a JSON value with its volatile fields masked, at any depth. */
export function normalize(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalize);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, inner]) => [field, isVolatile(field) ? VARIES : normalize(inner)]),
  );
}

function isVolatile(field: string): boolean {
  return VOLATILE_FIELDS.has(field) || VOLATILE_ENDINGS.some((ending) => field.endsWith(ending));
}
