import type { Settings } from '../config/settings.js';

/** Why a value was chosen (`guess`), or what a person has to look at (`doubt`). */
export interface DraftNote {
  at: string;
  kind: 'guess' | 'doubt';
  note: string;
}

/** A first configuration and what is to be known about it. */
export interface Draft {
  settings: Settings;
  notes: DraftNote[];
}

/** Collects notes in the order of the configuration's keys. */
export class Notes {
  readonly all: DraftNote[] = [];
  guess(at: string, note: string): void {
    this.all.push({ at, kind: 'guess', note });
  }
  doubt(at: string, note: string): void {
    this.all.push({ at, kind: 'doubt', note });
  }
}
