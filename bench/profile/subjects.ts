import type { Arena, Copy } from '../arena.js';
import { keylift } from '../keylift.js';
import { authorizations, legacyWrites, oldLookups, prepareSwitched, wrappedLookups } from '../ways/gateway.js';
import type { PlanOptions } from './plans.js';

/** What is looked into: some work on a copy of the seeded database, or of a finished migration. */
export interface Subject {
  name: string;
  of?: string;
  work: (copy: Copy) => Promise<unknown>;
  plans: Omit<PlanOptions, 'logFile'>;
}

/** Whatever the bench has a target for and that spends its time inside PostgreSQL. */
export async function subjects(arena: Arena): Promise<Subject[]> {
  const { unswitched, switched } = await prepareSwitched(arena);
  const migrated = await arena.keep('migrated', (copy) => keylift(['migrate', '--yes'], copy.url));
  const finalized = await arena.keep('finalized', async (copy) => {
    await keylift(['migrate', '--yes'], copy.url);
    await keylift(['finalize', '--yes'], copy.url);
  });
  const long = { leastMs: 10 };
  const short = { share: 0.001 };
  return [
    {
      name: 'migrate through harden',
      work: (copy) => keylift(['migrate', '--until', 'harden', '--yes'], copy.url),
      plans: long,
    },
    { name: 'plan', work: (copy) => keylift(['plan'], copy.url), plans: long },
    { name: 'verify', of: unswitched, work: (copy) => keylift(['verify'], copy.url), plans: long },
    { name: 'finalize', of: migrated, work: (copy) => keylift(['finalize', '--yes'], copy.url), plans: long },
    {
      name: 'rollback after finalize',
      of: finalized,
      work: (copy) => keylift(['rollback', '--yes'], copy.url),
      plans: long,
    },
    { name: 'old lookup', work: oldLookups, plans: short },
    { name: 'old lookup in a function', work: wrappedLookups, plans: short },
    { name: 'authorize before any switch', of: unswitched, work: authorizations, plans: short },
    { name: 'authorize with all switched', of: switched, work: authorizations, plans: short },
    { name: 'legacy writes with the mirror', of: unswitched, work: legacyWrites, plans: { share: 0.02 } },
  ];
}
