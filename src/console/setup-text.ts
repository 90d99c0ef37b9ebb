import path from 'node:path';
import { caretLines } from '../database/place.js';
import { forTerminal } from '../escaping.js';
import { counted } from '../format.js';
import type { CheckFault, CheckReport } from '../setup/check/check.js';
import type { Draft, DraftNote } from '../setup/init/draft.js';
import type { Files } from '../setup/init/files.js';
import { wrap } from './layout.js';
import { surroundingsText } from './surroundings-text.js';

const item = (text: string): string => wrap(text, { first: '  ', rest: '    ' });

/**
 * What `check` prints: the faults of the mapping by key with a suggestion, missing rights, the notes, then what meets
 * the tables.
 */
export function checkText({ config, faults, notes, surroundings }: CheckReport): string {
  const what = forTerminal(config ?? 'the default configuration');
  const rights = faults.filter(({ kind }) => kind === 'rights');
  const mapping = faults.filter(({ kind }) => kind !== 'rights');
  return [
    mapping.length === 0
      ? `${what} fits this database`
      : `${what} does not fit this database: ${counted(mapping.length, 'fault')}`,
    ...mapping.flatMap(faultLines),
    ...(rights.length === 0 ? [] : ['', `This role lacks rights: ${counted(rights.length, 'fault')}`]),
    ...rights.flatMap(faultLines),
    ...(notes.length === 0 ? [] : ['', 'Good to know:', ...notes.map(({ at, note }) => item(`${at}: ${note}`))]),
    ...surroundingsText(surroundings),
    '',
  ].join('\n');
}

const faultLines = (fault: CheckFault): string[] => [item(faultText(fault)), ...placeLines(fault)];

const faultText = ({ at, problem, did_you_mean: meant, way_out: wayOut }: CheckFault): string =>
  `${at}: ${problem}${meant === null ? '' : `, did you mean ${meant}?`}${wayOut === null ? '' : `; ${wayOut}`}`;

/** Not wrapped, because the caret must stay below its position. */
const placeLines = ({ place }: CheckFault): string[] =>
  place === null ? [] : caretLines(place).map((line) => `      ${forTerminal(line)}`);

/** What `init` prints: the configuration where no file was written, and the doubts. */
export function draftText({ notes }: Draft, { files, text }: { files: Files | null; text: string }): string {
  const doubts = notes.filter(({ kind }) => kind === 'doubt');
  return [
    ...(files === null ? [text] : [`wrote ${forTerminal(files.config)}`, `wrote ${forTerminal(files.notes)}`, '']),
    `${counted(doubts.length, 'doubt')} for a person to decide${doubts.length === 0 ? '' : ':'}`,
    ...doubts.map(({ at, note }) => item(`${at}: ${note}`)),
    '',
    files === null ? 'No file was written.' : 'Decide them in the file, then run: keylift check',
    '',
  ].join('\n');
}

/** The text of the notes file. The configuration itself is JSON and cannot contain comments. */
export function notesText({ notes }: Draft, { config }: Files): string {
  return [
    `# Notes on ${path.basename(config)}`,
    '',
    'Written by `keylift init`, from the names, types, foreign keys and unique indexes of a database.',
    'Decide each doubt in the configuration, and look at each guess. `keylift check` lists what does not fit.',
    'When it finds no fault, delete this file.',
    '',
    ...noteLines('Doubts', notes, 'doubt'),
    ...noteLines('Guesses', notes, 'guess'),
  ].join('\n');
}

function noteLines(title: string, notes: readonly DraftNote[], wanted: DraftNote['kind']): string[] {
  const lines = notes.filter(({ kind }) => kind === wanted).map(({ at, note }) => `- \`${at}\`: ${forTerminal(note)}`);
  return lines.length === 0 ? [] : [`## ${title}`, '', ...lines, ''];
}
