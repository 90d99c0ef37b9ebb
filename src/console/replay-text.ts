import { forTerminal } from '../escaping.js';
import type { Replay, ReplayDifference, ReplayKind } from '../proof/replay/document.js';
import { counted, grouped } from '../format.js';
import { table, wrap } from './layout.js';

const SHOWN = 10;

const JUDGED_BY = {
  account_keys: 'the account keys as they stand',
  rules: 'the rules alone, as there are no account keys yet',
};

/** What recorded decisions say of both rules, as a person reads it: what is not explained comes first. */
export function replayText(replay: Replay): string {
  const { kinds, bad_lines: bad } = replay;
  return [
    '',
    wrap(headline(replay)),
    table([
      [
        'decisions',
        replay.decisions,
        `read from ${counted(replay.lines, 'line')}; judged by ${JUDGED_BY[replay.judged_by]}`,
      ],
      ['same', replay.same, 'decided as both rules do'],
      ['explained', replay.explained, 'otherwise, for a reason that the rules know'],
      ['unexplained', replay.unexplained, 'otherwise'],
      ...(replay.unknown_keys > 0
        ? [['no such key', replay.unknown_keys, 'decisions about a token or an id that no key has'] as const]
        : []),
      ...(replay.unknown_apis > 0
        ? [['no such API', replay.unknown_apis, 'decisions about a slug that no API has'] as const]
        : []),
      ...(replay.ambiguous_apis > 0
        ? [
            [
              'two APIs',
              replay.ambiguous_apis,
              'decisions about a slug that several APIs have; what agrees best counts',
            ] as const,
          ]
        : []),
      ...(bad.count > 0 ? [['bad lines', bad.count, 'no decisions; the rest was judged all the same'] as const] : []),
    ]),
    ...bad.first.slice(0, SHOWN).map(({ line, reason }) => `  line ${String(line)}: ${reason}`),
    ...rest(bad.count, Math.min(SHOWN, bad.first.length), '  '),
    ...kinds.flatMap(kindLines),
    '',
  ].join('\n');
}

function headline({ ok, decisions, unexplained, bad_lines: bad }: Replay): string {
  if (unexplained > 0) return 'Replay: DIFFERENCES THAT THE RULES DO NOT EXPLAIN.';
  if (decisions === 0) return bad.count > 0 ? 'Replay: NO DECISION IN THE FILE.' : 'Replay: the file is empty.';
  return ok ? 'Replay: nothing that the rules do not explain.' : 'Replay: not judged.';
}

function kindLines({ kind, explained, why, decisions, differences }: ReplayKind): string[] {
  const shown = explained ? 3 : SHOWN;
  return [
    wrap(`${kind} (${explained ? 'explained' : 'NOT EXPLAINED'}), ${counted(decisions, 'decision')}: ${why}`, {
      first: '  ',
      rest: '    ',
    }),
    ...differences.slice(0, shown).map((difference) => `    ${differenceText(difference)}`),
    ...(differences.length > shown ? [`    and others; --json lists up to 100`] : []),
  ];
}

function differenceText({
  line,
  times,
  key_id: id,
  fingerprint,
  api,
  recorded,
  before,
  after,
  now,
}: ReplayDifference): string {
  const key = id === null ? `no key, fingerprint ${fingerprint ?? 'none'}` : `key ${forTerminal(id)}`;
  const answers = [
    ['recorded', recorded],
    ['before', before],
    ['after', after],
    ...(now === null ? [] : [['now', now] as const]),
  ] as const;
  return `line ${String(line)}: ${key} at ${forTerminal(api)}: ${answers.map(([when, yes]) => `${when} ${yes ? 'yes' : 'no'}`).join(', ')}${times > 1 ? ` (${grouped(times)} times)` : ''}`;
}

const rest = (all: number, shown: number, indent: string): string[] =>
  all > shown ? [`${indent}and ${grouped(all - shown)} more; --json lists up to 100`] : [];
