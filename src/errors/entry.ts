import type { EXIT } from './exit-codes.js';

/** The exits that an error can have: `done` and `exceptions` are results. */
export type ErrorExit = Exclude<keyof typeof EXIT, 'done' | 'exceptions'>;

/** One row of the catalogue: all that is the same each time this error occurs. */
export interface CatalogueEntry {
  exit: ErrorExit;
  /** The runbook section that explains the code, without the `#`. */
  section: string;
  /** What the code means, for the table of messages in the documentation. */
  meaning: string;
  /** What to do next. A throw site that knows more may say it in other words. */
  hint: string;
}

/** Checks a part of the catalogue without losing its literal codes. */
export const entries = <Codes extends string>(part: Record<Codes, CatalogueEntry>): Record<Codes, CatalogueEntry> =>
  part;
