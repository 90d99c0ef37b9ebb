/** Exit codes of the contract. They stand in every command's help text and are asserted by tests. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  refused: 3,
  differences: 4,
  unreachable: 5,
  exceptions: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A short label of each exit code. */
export const EXIT_LABELS: Record<ExitCode, string> = {
  [EXIT.done]: 'done',
  [EXIT.bug]: 'unexpected error',
  [EXIT.usage]: 'usage or configuration',
  [EXIT.refused]: 'refused',
  [EXIT.differences]: 'differences',
  [EXIT.unreachable]: 'unreachable or work left',
  [EXIT.exceptions]: 'exceptions wait',
  [EXIT.interrupted]: 'interrupted',
};

/** What an error carries beside its sentence. `facts` never hold a token or a password. */
export interface ErrorDetails {
  /** Values a reader needs to find the place: a file, a table, a SQLSTATE. */
  facts?: Record<string, unknown>;
  /** What to do about it, in the imperative. */
  hint: string;
  /** The runbook section that explains the code, without the `#`. */
  anchor: string;
  cause?: unknown;
}

/**
 * A situation that has a name: a stable code, facts, a way out, a section of the runbook and its exit code.
 * Anything thrown that is not one is told as a BugError.
 */
export class KeyliftError extends Error {
  readonly facts: Record<string, unknown>;
  readonly hint: string;
  readonly anchor: string;

  constructor(
    readonly code: string,
    readonly exitCode: ExitCode,
    message: string,
    details: ErrorDetails,
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.facts = details.facts ?? {};
    this.hint = details.hint;
    this.anchor = details.anchor;
  }
}

/** A person's mistake in arguments, files, configuration or credentials: exit 2, nothing changed. */
export class UsageError extends KeyliftError {
  constructor(code: string, message: string, details: ErrorDetails) {
    super(code, EXIT.usage, message, details);
  }
}

/** A gate said no (preflight, missing confirmation, another owner): exit 3, nothing changed. */
export class RefusedError extends KeyliftError {
  constructor(code: string, message: string, details: ErrorDetails) {
    super(code, EXIT.refused, message, details);
  }
}

/** The proof found differences: exit 4. */
export class DifferencesError extends KeyliftError {
  constructor(code: string, message: string, details: ErrorDetails) {
    super(code, EXIT.differences, message, details);
  }
}

/** The database cannot be reached, or the run stopped with work left: exit 5, run again to resume. */
export class UnreachableError extends KeyliftError {
  constructor(code: string, message: string, details: ErrorDetails) {
    super(code, EXIT.unreachable, message, details);
  }
}

/** The operator stopped the run: exit 130, run again to resume. */
export class InterruptedError extends KeyliftError {
  constructor(message: string, details: Omit<ErrorDetails, 'anchor'>) {
    super('interrupted', EXIT.interrupted, message, { ...details, anchor: 'stop-resume-take-back' });
  }
}

/** Nobody's mistake but keylift's, or nothing it foresaw: exit 1, and a report is asked for. */
export class BugError extends KeyliftError {
  constructor(code: string, message: string, details: Omit<ErrorDetails, 'hint' | 'anchor'>) {
    super(code, EXIT.bug, message, {
      ...details,
      hint: 'Please report it, with the command line, the lines above and the stack.',
      anchor: 'a-bug-of-keylift',
    });
  }
}

const RUNS = new WeakMap<object, string>();

/** Remembers in which run something was thrown, for whoever reports it. The first run holds. */
export function noteRun(thrown: unknown, runId: string): void {
  if (typeof thrown === 'object' && thrown !== null && !RUNS.has(thrown)) RUNS.set(thrown, runId);
}

/** The run in which something was thrown, or undefined when there was none. */
export const runOf = (thrown: unknown): string | undefined =>
  typeof thrown === 'object' && thrown !== null ? RUNS.get(thrown) : undefined;
