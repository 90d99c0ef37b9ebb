import type { ErrorCode } from './errors/catalogue.js';
import { KeyliftError, type ErrorDetails as Details } from './errors/keylift-error.js';

export { EXIT, EXIT_LABELS, type ExitCode } from './errors/exit-codes.js';
export { BugError, KeyliftError } from './errors/keylift-error.js';
export { noteRun, runOf } from './errors/run-of.js';

/** The details of the classes below; new code calls `keyliftError`. */
export interface ErrorDetails extends Omit<Details, 'message' | 'section'> {
  hint: string;
  anchor: string;
}

class ByClass extends KeyliftError {
  constructor(code: ErrorCode, message: string, { anchor: section, ...details }: ErrorDetails) {
    super(code, { ...details, message, section });
  }
}

/** @deprecated Call `keyliftError`. */
export class UsageError extends ByClass {}
/** @deprecated Call `keyliftError`. */
export class RefusedError extends ByClass {}
/** @deprecated Call `keyliftError`. */
export class DifferencesError extends ByClass {}
/** @deprecated Call `keyliftError`. */
export class UnreachableError extends ByClass {}
