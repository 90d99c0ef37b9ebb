import { CATALOGUE, type ErrorCode } from './catalogue.js';
import { EXIT, type ExitCode } from './exit-codes.js';

/** What a throw site adds to the catalogue. `facts` never hold a token or a password. */
export interface ErrorDetails {
  /** What happened and why, in a sentence that continues `keylift: ` and has no full stop. */
  message: string;
  /** Values that a reader needs to find the cause: a file, a table, a SQLSTATE. */
  facts?: Readonly<Record<string, unknown>>;
  /** What to do next, where the throw site knows more than the catalogue. */
  hint?: string | undefined;
  /** The runbook section, where it differs from the catalogue's: one per gate. */
  section?: string | undefined;
  cause?: unknown;
}

/** An error that the catalogue knows. Any other thrown value is reported as a BugError. */
export class KeyliftError extends Error {
  readonly exitCode: ExitCode;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly hint: string;
  readonly section: string;

  constructor(
    readonly code: ErrorCode,
    { message, facts = {}, hint, section, cause }: ErrorDetails,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    const entry = CATALOGUE[code];
    this.name = new.target.name;
    this.exitCode = EXIT[entry.exit];
    this.facts = facts;
    this.hint = hint ?? entry.hint;
    this.section = section ?? entry.section;
  }
}

/** A fault of keylift, or an event that it did not foresee: exit 1, and the message asks for a report. */
export class BugError extends KeyliftError {}

/** Creates the error of a code. The catalogue decides its exit code, its section, its hint, and whether it is a bug. */
export const keyliftError = (code: ErrorCode, details: ErrorDetails): KeyliftError =>
  CATALOGUE[code].exit === 'bug' ? new BugError(code, details) : new KeyliftError(code, details);

/** True for an error of one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly ErrorCode[]): error is KeyliftError =>
  error instanceof KeyliftError && codes.includes(error.code);

/** True for an error that ends a command with this exit code. */
export const hasExit = (error: unknown, exitCode: ExitCode): error is KeyliftError =>
  error instanceof KeyliftError && error.exitCode === exitCode;
