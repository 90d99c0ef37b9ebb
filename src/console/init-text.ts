import { forTerminal } from '../escaping.js';
import path from 'node:path';
import type { Draft, DraftNote } from '../setup/draft.js';
import type { Files } from '../setup/files.js';
import { counted } from '../format.js';
import { wrap } from './layout.js';

const KINDS = { doubt: 'Doubts', guess: 'Guesses' } as const;

/** What `init` says: the configuration itself where no file was written, and what to look at. */
export function draftText({ notes }: Draft, { files, text }: { files: Files | null; text: string }): string {
  const doubts = notes.filter(({ kind }) => kind === 'doubt');
  return [
    ...(files === null ? [text] : [`wrote ${forTerminal(files.config)}`, `wrote ${forTerminal(files.notes)}`, '']),
    `${counted(doubts.length, 'doubt')} for a person to settle${doubts.length === 0 ? '' : ':'}`,
    ...doubts.map(({ at, note }) => wrap(`${at}: ${note}`, { first: '  ', rest: '    ' })),
    '',
    files === null ? 'No file was written.' : 'Settle them in the file, then: keylift check',
    '',
  ].join('\n');
}

/** The file beside the configuration, which as JSON cannot hold a comment. */
export function notesText({ notes }: Draft, { config }: Files): string {
  const of = (wanted: DraftNote['kind']): string[] => {
    const lines = notes
      .filter(({ kind }) => kind === wanted)
      .map(({ at, note }) => `- \`${at}\`: ${forTerminal(note)}`);
    return lines.length === 0 ? [] : [`## ${KINDS[wanted]}`, '', ...lines, ''];
  };
  return [
    `# Notes on ${path.basename(config)}`,
    '',
    'Made by `keylift init` from the names, types, foreign keys and unique indexes of a database. A doubt wants an answer',
    'in the file, a guess only a glance. `keylift check` tells what does not fit; when it is content, delete this file.',
    '',
    ...of('doubt'),
    ...of('guess'),
  ].join('\n');
}
