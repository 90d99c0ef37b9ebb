import type { Target } from './measure.js';

/** What must be reached, at this many keys. Names are those of the ways. */
export const targetsAt = (keys: number): Target[] => [
  { what: 'migrate through harden', ours: 'migrate', theirs: 'offline', be: 'at most', value: 1.3 },
  { what: 'migrate through harden', ours: 'migrate', theirs: 'one INSERT … SELECT', be: 'at least', value: keys >= 5_000_000 ? 4 : 2.5 },
  { what: 'migrate through harden', ours: 'migrate', theirs: 'knex batchInsert', be: 'at least', value: 15 },
  { what: 'migrate through harden', ours: 'migrate', theirs: 'live in one statement', be: 'at most' },
  { what: 'floor: live in one statement', ours: 'live in one statement', theirs: 'offline', be: 'at most' },
  { what: 'floor: live in two statements at once', ours: 'live in two statements', theirs: 'offline', be: 'at most' },
  { what: 'floor: live in two statements at once', ours: 'live in two statements', theirs: 'one INSERT … SELECT', be: 'at least' },
  { what: 'floor: offline', ours: 'offline', theirs: 'knex batchInsert', be: 'at least' },
  { what: 'verify', ours: 'verify', theirs: 'full outer join', be: 'at most', value: 2 },
  { what: 'plan', ours: 'plan', theirs: 'search and scan', be: 'at most', value: 1.5 },
  { what: 'authorize before any switch, mean', ours: 'authorize, unswitched', theirs: 'old lookup', be: 'at most', value: 1.3 },
  { what: 'authorize with all switched, mean', ours: 'authorize, switched', theirs: 'old lookup', be: 'at most', value: 1.3 },
  { what: 'authorize with mixed cohorts, mean', ours: 'authorize, mixed', theirs: 'old lookup', be: 'at most', value: 2 },
  { what: 'floor: old lookup in a function, mean', ours: 'old lookup in a function', theirs: 'old lookup', be: 'at most' },
  { what: 'floor: a look at the rule, too, mean', ours: 'a look at the rule and the old lookup in a function', theirs: 'old lookup', be: 'at most' },
  { what: 'lookups while migrating, p99', ours: 'lookup p99, migrating', theirs: 'lookup p99, quiet', be: 'at most', value: 2 },
  { what: 'floor: lookups beside counting, p99', ours: 'lookup p99, beside counting', theirs: 'lookup p99, quiet', be: 'at most' },
  { what: 'lookups while migrating with --concurrency 1, p99', ours: 'lookup p99, migrating with one session', theirs: 'lookup p99, quiet', be: 'at most' },
  { what: 'a legacy write with the mirror, mean', ours: 'write, mirrored', theirs: 'write, plain', be: 'at most', value: 2 },
  { what: 'a legacy write with the mirror, mean', ours: 'write, mirrored', theirs: 'write, copied by the least trigger', be: 'at most' },
  { what: 'memory of the process, peak', ours: 'memory of migrate', theirs: 100, be: 'at most', value: 1 },
  { what: 'memory of a replay of a million, peak', ours: 'memory of replay', theirs: 100, be: 'at most', value: 1 },
  { what: 'keylift --help, start to end', ours: 'help', theirs: 0.3, be: 'at most', value: 1 },
];
