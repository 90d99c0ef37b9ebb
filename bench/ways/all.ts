import type { Arena, Copy } from '../arena.js';
import { keylift } from '../keylift.js';
import type { Notebook } from '../measure.js';
import { batchInsert } from './batch-insert.js';
import {
  authorizations,
  backfillWithLookups,
  legacyWrites,
  lookupsBesideCounting,
  lookupsWhileMigrating,
  lookupsWithinLimit,
  mirroredWrites,
  oldLookups,
  prepareSwitched,
  wrappedLookups,
} from './gateway.js';
import { liveInOneStatement, liveInTwoStatements, offline, oneInsert, searchAndScan } from './offline.js';
import { archiveAtOnce, bulkUpdate, loggedWrites, lookupsThroughView } from './platform.js';
import { outerJoin } from './proof.js';
import { replayOfAMillion } from './replay.js';

/** A group of ways that are compared with one another: one round of each, in turn. */
export type Group = (arena: Arena, book: Notebook) => Promise<void>;

/** With more keys it would take most of the bench's time, and tell nothing else: a row costs the same. */
const BATCH_INSERT_KEYS = 2_000_000;

async function hardened(copy: Copy): Promise<void> {
  await keylift(['migrate', '--until', 'harden', '--yes'], copy.url);
  await copy.sql('VACUUM (ANALYZE)');
}

export const GROUPS: Record<string, Group> = {
  async migrate({ onCopy }, book) {
    book.add('offline', await onCopy(offline));
    book.add('live in one statement', await onCopy(liveInOneStatement));
    book.add('live in two statements', await onCopy(liveInTwoStatements));
    const { seconds, peakMiB } = await onCopy((copy) => keylift(['migrate', '--until', 'harden', '--yes'], copy.url));
    book.add('migrate', seconds);
    if (peakMiB !== null) book.add('memory of migrate', peakMiB, 'MiB');
  },

  async insert({ onCopy, keys }, book) {
    book.add('one INSERT … SELECT', await onCopy(oneInsert));
    if (keys <= BATCH_INSERT_KEYS) book.add('knex batchInsert', await onCopy(batchInsert));
  },

  async verify(arena, book) {
    const of = await arena.keep('hardened', hardened);
    book.add('full outer join', await arena.onCopy(outerJoin, { of }));
    book.add('verify', await arena.onCopy(async (copy) => (await keylift(['verify'], copy.url)).seconds, { of }));
  },

  async finalize(arena, book) {
    const of = await arena.keep('migrated', (copy) => keylift(['migrate', '--yes'], copy.url));
    await arena.onCopy(
      async (copy) => {
        book.add('finalize', (await keylift(['finalize', '--yes'], copy.url)).seconds);
        await copy.checkpoint();
        book.add('rollback after finalize', (await keylift(['rollback', '--yes'], copy.url)).seconds);
      },
      { of },
    );
    const { there, back } = await arena.onCopy(archiveAtOnce, { of });
    book.add('one DELETE into an archive', there);
    book.add('one INSERT back', back);
    book.add(
      'rollback',
      await arena.onCopy(async (copy) => (await keylift(['rollback', '--yes'], copy.url)).seconds, { of }),
    );
  },

  async replay({ onCopy }, book) {
    const { seconds, peakMiB } = await onCopy(replayOfAMillion);
    book.add('replay of a million', seconds);
    if (peakMiB !== null) book.add('memory of replay', peakMiB, 'MiB');
  },

  async plan({ onCopy }, book) {
    book.add('search and scan', await onCopy(searchAndScan));
    book.add('plan', await onCopy(async (copy) => (await keylift(['plan'], copy.url)).seconds));
  },

  async authorize(arena, book) {
    const states = await prepareSwitched(arena);
    for (const [name, of] of Object.entries(states)) {
      await arena.onCopy(
        async (copy) => {
          if (name === 'unswitched') {
            book.add('old lookup', (await oldLookups(copy)).mean, 'ms');
            book.add('old lookup in a function', (await wrappedLookups(copy)).mean, 'ms');
            book.add(
              'a look at the rule and the old lookup in a function',
              (await wrappedLookups(copy, { rule: true })).mean,
              'ms',
            );
          }
          book.add(`authorize, ${name}`, (await authorizations(copy)).mean, 'ms');
        },
        { of },
      );
    }
  },

  async lookups({ onCopy }, book) {
    const { quiet, migrating } = await onCopy((copy) => lookupsWhileMigrating(copy));
    book.add('lookup p99, quiet', quiet.p99, 'ms');
    book.add('lookup p99, migrating', migrating.p99, 'ms');
    book.add('lookup p50, quiet', quiet.p50, 'ms');
    book.add('lookup p50, migrating', migrating.p50, 'ms');
    book.add('lookup p99, beside counting', (await onCopy(lookupsBesideCounting)).p99, 'ms');
    book.add(
      'lookup p99, migrating with one session',
      (await onCopy((copy) => lookupsWhileMigrating(copy, ['--concurrency', '1']))).migrating.p99,
      'ms',
    );
  },

  async latency({ onCopy }, book) {
    const limited = await onCopy(lookupsWithinLimit);
    book.add('lookup p95, quiet', limited.quiet, 'ms');
    book.add('limit of --max-latency', limited.limit, 'ms');
    book.add('lookup p95, backfill with --max-latency', limited.migrating, 'ms');
    book.add('backfill with --max-latency', limited.seconds);
    const free = await onCopy(backfillWithLookups);
    book.add('lookup p95, backfill without a limit', free.migrating, 'ms');
    book.add('backfill without a limit', free.seconds);
  },

  async writes({ onCopy }, book) {
    book.add('write, plain', (await onCopy(legacyWrites)).mean, 'ms');
    book.add('write, logged', (await onCopy(loggedWrites)).mean, 'ms');
    const { mirrored, least } = await onCopy(mirroredWrites);
    book.add('write, mirrored', mirrored.mean, 'ms');
    book.add('write, copied by the least trigger', least.mean, 'ms');
  },

  async bulk(arena, book) {
    const of = await arena.keep('hardened', hardened);
    const plain = await arena.onCopy(bulkUpdate);
    const mirrored = await arena.onCopy(bulkUpdate, { of });
    book.add('200,000 names, plain', plain.seconds);
    book.add('200,000 names, mirrored', mirrored.seconds);
    if (mirrored.moreMiB !== null) book.add('memory of 200,000 names', mirrored.moreMiB, 'MiB');
  },

  async view(arena, book) {
    const { unswitched, switched } = await prepareSwitched(arena);
    book.add('query of the table', (await arena.onCopy(oldLookups)).mean, 'ms');
    book.add('query of the view, unswitched', (await arena.onCopy(lookupsThroughView, { of: unswitched })).mean, 'ms');
    book.add('query of the view, switched', (await arena.onCopy(lookupsThroughView, { of: switched })).mean, 'ms');
  },

  async help(_, book) {
    book.add('help', (await keylift(['--help'])).seconds);
  },
};
