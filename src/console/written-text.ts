import { counted, grouped } from '../format.js';
import type { Notice } from '../plan/lists/notice.js';
import type { Lists } from '../plan/lists/write.js';
import { wrap } from './layout.js';

/** Store APIs that the text names. */
const APIS_SHOWN = 20;

/** The files that `plan` wrote, one line each; file names are not wrapped, so that a person can copy them. */
export function writtenLines({ notice, keys, dormant, saved }: Lists & { saved?: { file: string } }): string[] {
  return [
    ...(notice === undefined ? [] : noticeLines(notice)),
    ...(keys === undefined ? [] : [`Keys: ${counted(keys.keys, 'key')} with their outcomes, in ${keys.file}`]),
    ...(dormant === undefined ? [] : [`Dormant: ${counted(dormant.keys, 'key')} for --holds, in ${dormant.file}`]),
    ...(saved === undefined ? [] : [`Saved: keylift migrate --plan ${saved.file}`]),
  ];
}

function noticeLines({ file, keys, store_apis: apis }: Notice): string[] {
  const line = `Notice: ${counted(keys, 'key')} to write to customers about, in ${file}`;
  if (apis === null || apis.length === 0) return [line];
  const more = apis.length > APIS_SHOWN ? ` and ${grouped(apis.length - APIS_SHOWN)} more; --json lists them` : '';
  return [line, wrap(`  Each will open: ${apis.slice(0, APIS_SHOWN).join(', ')}${more}`, { rest: '    ' })];
}
