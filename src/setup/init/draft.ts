import type { Settings } from '../../config/settings.js';

/** A `guess` says why a value was chosen. A `doubt` needs a decision by a person. */
export interface DraftNote {
  at: string;
  kind: 'guess' | 'doubt';
  note: string;
}

/** A first configuration with its notes. */
export interface Draft {
  settings: Settings;
  notes: DraftNote[];
}

/** Collects notes while a configuration is guessed. `at` is the configuration key. */
export class Notes {
  readonly all: DraftNote[] = [];
  guess(at: string, note: string): void {
    this.all.push({ at, kind: 'guess', note });
  }
  doubt(at: string, note: string): void {
    this.all.push({ at, kind: 'doubt', note });
  }
}

/** Names of columns for a note. */
export const quotedNames = (columns: readonly { name: string }[]): string =>
  columns.map(({ name }) => JSON.stringify(name)).join(', ');

/** Notes the first candidate as a guess, with the other candidates, and returns its name. */
export function firstOf(found: readonly { name: string }[], at: string, notes: Notes): string | undefined {
  const [chosen, ...others] = found;
  if (chosen === undefined) return undefined;
  notes.guess(at, `by its name${others.length === 0 ? '' : `; other candidates: ${quotedNames(others)}`}`);
  return chosen.name;
}
