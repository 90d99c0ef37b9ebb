import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';

/** A fault in a case: the file, the path inside it (may be empty), and the message. */
export interface FixtureFault {
  file: string;
  path: string;
  message: string;
}

/** The error for one case, or for a directory of cases where the files of the faults include the case's name. */
export function fixtureError(directory: string, faults: readonly FixtureFault[]): KeyliftError {
  const lines = faults.map(describeFault);
  const count = lines.length === 1 ? 'one fault' : `${String(lines.length)} faults`;
  return keyliftError('fixture_invalid', {
    message: `${directory}: ${count} in the fixture\n  ${lines.join('\n  ')}`,
    facts: { directory, faults: lines },
  });
}

/** `legacy.json: keys[3].created_at: not a timestamp` */
export function describeFault({ file, path: place, message }: FixtureFault): string {
  return [file, place, message].filter((part) => part !== '').join(': ');
}
