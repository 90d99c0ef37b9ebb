import { forTerminal } from '../escaping.js';
import { counted, grouped } from '../format.js';
import type { Replay, ReplayDifference, ReplayKind } from '../proof/replay/document.js';
import { table, wrap } from './layout.js';

const SHOWN = 10;
const EXPLAINED_SHOWN = 3;

const DECIDED_BY = {
  account_keys: 'the account keys as they are',
  rules: 'the rules alone, because there are no account keys yet',
};

/** The result of a replay, unexplained decisions first. */
export function replayText(replay: Replay): string {
  const { kinds, bad_lines: bad } = replay;
  return [
    '',
    wrap(headline(replay)),
    table(counterRows(replay)),
    ...bad.first.slice(0, SHOWN).map(({ line, reason }) => `  line ${String(line)}: ${reason}`),
    ...moreLine(bad.count, Math.min(SHOWN, bad.first.length)),
    ...kinds.flatMap(kindLines),
    '',
  ].join('\n');
}

function headline({ ok, decisions, unexplained, bad_lines: bad }: Replay): string {
  if (unexplained > 0) return 'Replay: DIFFERENCES THAT THE RULES DO NOT EXPLAIN.';
  if (decisions === 0) return bad.count > 0 ? 'Replay: NO DECISION IN THE FILE.' : 'Replay: the file is empty.';
  return ok ? 'Replay: the rules explain every decision.' : 'Replay: not decided.';
}

type CounterRow = [name: string, count: number, meaning: string];

function counterRows(replay: Replay): CounterRow[] {
  const source = `read from ${counted(replay.lines, 'line')}; compared with ${DECIDED_BY[replay.judged_by]}`;
  const onlyIfAny: CounterRow[] = [
    ['no such key', replay.unknown_keys, 'decisions about a token or an id that no key has'],
    ['no such API', replay.unknown_apis, 'decisions about a slug that no API has'],
    ['two APIs', replay.ambiguous_apis, 'decisions about a slug of several APIs; the best match counts'],
    ['bad lines', replay.bad_lines.count, 'no decisions; all other lines are compared'],
  ];
  return [
    ['decisions', replay.decisions, source],
    ['same', replay.same, 'as both rules decide'],
    ['explained', replay.explained, 'different, for a reason that the rules know'],
    ['unexplained', replay.unexplained, 'different'],
    ...onlyIfAny.filter(([, count]) => count > 0),
  ];
}

function kindLines({ kind, explained, why, decisions, differences }: ReplayKind): string[] {
  const shown = explained ? EXPLAINED_SHOWN : SHOWN;
  const text = `${kind} (${explained ? 'explained' : 'NOT EXPLAINED'}), ${counted(decisions, 'decision')}: ${why}`;
  return [
    wrap(text, { first: '  ', rest: '    ' }),
    ...differences.slice(0, shown).map((difference) => `    ${differenceText(difference)}`),
    ...(differences.length > shown ? [`    and others; --json lists up to 100`] : []),
  ];
}

function differenceText(difference: ReplayDifference): string {
  const { line, times, key_id: id, fingerprint, api, recorded, before, after, now } = difference;
  const key = id === null ? `no key, fingerprint ${fingerprint ?? 'none'}` : `key ${forTerminal(id)}`;
  const answers = { recorded, before, after, ...(now !== null && { now }) };
  const list = Object.entries(answers).map(([when, yes]) => `${when} ${yes ? 'yes' : 'no'}`);
  const repeated = times > 1 ? ` (${grouped(times)} times)` : '';
  return `line ${String(line)}: ${key} at ${forTerminal(api)}: ${list.join(', ')}${repeated}`;
}

const moreLine = (all: number, shown: number): string[] =>
  all > shown ? [`  and ${grouped(all - shown)} more; --json lists up to 100`] : [];
