import type { Database } from '../../database/connect.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { compareDecisions } from './compare.js';
import { withDecisions } from './decisions-table.js';
import { MOST_LISTED, type Replay, type ReplayDifference, type ReplayKind } from './document.js';
import { KIND_NAMES, KINDS, type KindName } from './kinds.js';
import { readPages, type Page } from './lines.js';
import { findSources, type Sources } from './sources.js';

export interface ReplayOptions {
  file: string;
  /** Called after each portion of the file with the lines read so far. */
  onProgress?: (lines: number) => void;
  stop?: AbortSignal;
}

/** What `compareDecisions` answers. Counts are PostgreSQL's text. */
interface Compared {
  same: string;
  unknown_keys: string;
  unknown_apis: string;
  ambiguous_apis: string;
  pairs: string;
  kinds: Partial<Record<KindName, number>>;
  differences: (ReplayDifference & { kind: KindName })[];
}

/**
 * Runs recorded decisions through the old rule and the new one, some thousand at a time, in memory that does not grow with
 * the file. Changes nothing. Before a migration it reads the mapping and the rules alone.
 *
 * @throws `replay_unreadable`, `settings_changed`, `temporary_tables`
 */
export async function replay(
  database: Database,
  schema: MappedSchema,
  { file, onProgress, stop }: ReplayOptions,
): Promise<Replay> {
  const started = performance.now();
  const found = nothing();
  const pages = readPages(file, { types: schema.types, stop });
  try {
    for (let before = -1; found.lines > before;) {
      before = found.lines;
      await compareNext(database, schema, { found, pages, stop });
      if (found.lines > before) onProgress?.(found.lines);
    }
  } finally {
    await pages.return(undefined);
  }
  return finished(found, started);
}

async function compareNext(
  database: Database,
  schema: MappedSchema,
  { found, pages, stop }: { found: Replay; pages: AsyncIterator<Page>; stop: AbortSignal | undefined },
): Promise<void> {
  const onPage = (page: Page): void => {
    stop?.throwIfAborted();
    takeFaults(found, page);
  };
  found.decisions += await withDecisions(database, { pages, onPage }, async (session) => {
    // A stage may have ended since the last decisions.
    const sources = await findSources(session, schema);
    // The same tables are hashed for each portion of the file; the transaction's end restores the server's work_mem.
    await session.query(`SET LOCAL work_mem = '32MB'`);
    takeCompared(found, await session.one<Compared>(compareDecisions(sources)), sources);
  });
}

function takeCompared(found: Replay, compared: Compared, sources: Sources): void {
  found.judged_by = sources.accountKeys ? 'account_keys' : 'rules';
  if (sources.authorize) found.asked += Number(compared.pairs);
  for (const name of ['same', 'unknown_keys', 'unknown_apis', 'ambiguous_apis'] as const)
    found[name] += Number(compared[name]);
  takeDifferences(found, compared);
}

function nothing(): Replay {
  return {
    ok: true,
    lines: 0,
    decisions: 0,
    same: 0,
    explained: 0,
    unexplained: 0,
    unknown_keys: 0,
    unknown_apis: 0,
    ambiguous_apis: 0,
    judged_by: 'rules',
    asked: 0,
    bad_lines: { count: 0, first: [] },
    seconds: 0,
    kinds: KIND_NAMES.map((kind): ReplayKind => ({ kind, ...KINDS[kind], decisions: 0, differences: [] })),
  };
}

function takeFaults(found: Replay, { lines, faults }: Page): void {
  found.lines += lines;
  found.bad_lines.count += faults.length;
  found.bad_lines.first.push(...faults.slice(0, MOST_LISTED - found.bad_lines.first.length));
}

function takeDifferences(found: Replay, { kinds, differences }: Compared): void {
  for (const kind of found.kinds) {
    const decisions = kinds[kind.kind] ?? 0;
    kind.decisions += decisions;
    found[kind.explained ? 'explained' : 'unexplained'] += decisions;
    for (const { kind: name, ...difference } of differences) if (name === kind.kind) list(kind.differences, difference);
  }
}

/** A request that is listed already was in an earlier portion of the file, too. */
function list(listed: ReplayDifference[], difference: ReplayDifference): void {
  const again = listed.find(
    (other) =>
      other.fingerprint === difference.fingerprint &&
      other.key_id === difference.key_id &&
      other.api === difference.api &&
      other.recorded === difference.recorded,
  );
  if (again !== undefined) again.times += difference.times;
  else if (listed.length < MOST_LISTED) listed.push(difference);
}

function finished(found: Replay, started: number): Replay {
  return {
    ...found,
    ok: found.unexplained === 0 && (found.decisions > 0 || found.bad_lines.count === 0),
    kinds: found.kinds.filter(({ decisions }) => decisions > 0),
    seconds: Math.round(performance.now() - started) / 1000,
  };
}
