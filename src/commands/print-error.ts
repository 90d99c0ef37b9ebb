import { redactText, redactValue } from '../config/redact.js';
import type { ExitCode } from '../errors/exit-codes.js';
import { BugError, type KeyliftError } from '../errors/keylift-error.js';
import { runOf } from '../errors/run-of.js';
import { forTerminal, forTerminalLines } from '../escaping.js';
import { factTable, isTable } from '../console/fact-table.js';
import type { LogFields } from '../logging/events.js';
import { knownError } from '../operations/known-error.js';

/** What a failing command prints to stdout with --json: schemas/error.schema.json. */
export interface ErrorDocument {
  error: { code: string; message: string; hint: string; facts: Record<string, unknown>; exit_code: ExitCode };
}

export interface ErrorText {
  text: string;
  exitCode: ExitCode;
  error: KeyliftError;
  document: ErrorDocument;
  /** What the log file keeps besides the message; it has the stack of a bug. */
  logged: LogFields;
}

/** How an error is shown. */
export interface Telling {
  /** Shows the stack of a bug. */
  debug: boolean;
  secrets: readonly string[];
  /** The log file, which keeps the stack. */
  logFile?: string | undefined;
}

/**
 * Any thrown value as the text for stderr, the document for --json, and the exit code. Only a bug has a stack, and
 * only at debug level.
 */
export async function describeError(error: unknown, telling: Telling): Promise<ErrorText> {
  const known = await knownError(error);
  const run = runOf(error);
  const stack = known instanceof BugError ? stackOf(known) : undefined;
  const lines = known instanceof BugError ? bugLines(known, { run, stack, telling }) : knownLines(known);
  return {
    text: redactText(`keylift: ${lines.join('\n')}\n`, telling.secrets),
    exitCode: known.exitCode,
    error: known,
    document: redactValue(documentOf(known, run), telling.secrets) as ErrorDocument,
    logged: {
      code: known.code,
      exit_code: known.exitCode,
      ...(run === undefined ? {} : { run_id: run }),
      ...(Object.keys(known.facts).length === 0 ? {} : { facts: { ...known.facts } }),
      ...(stack === undefined ? {} : { stack }),
    },
  };
}

const documentOf = (
  { code, message, hint, facts, exitCode }: KeyliftError,
  run: string | undefined,
): ErrorDocument => ({
  error: { code, message, hint, facts: run === undefined ? facts : { ...facts, run_id: run }, exit_code: exitCode },
});

const stackOf = ({ cause }: BugError): string | undefined => (cause instanceof Error ? cause.stack : undefined);

function knownLines(error: KeyliftError): string[] {
  return [error.message, ...linesOfFacts(error.facts), ...wayOut(error)].map(forTerminalLines);
}

const linesOfFacts = (facts: Record<string, unknown>): string[] =>
  Object.entries(facts)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) => factLines(name, value));

const wayOut = ({ code, hint, section }: KeyliftError): string[] => [
  `  ${hint}`,
  `  see runbook.md#${section} (code ${code})`,
];

const MOST_ITEMS = 20;

function factLines(name: string, value: unknown): string[] {
  const label = name.replaceAll('_', ' ');
  if (!Array.isArray(value)) return [`  ${label}: ${factText(value)}`];
  const rest = value.length - MOST_ITEMS;
  const shown: unknown[] = value.slice(0, MOST_ITEMS);
  return [
    `  ${label}:`,
    ...(isTable(shown) ? [factTable(shown)] : shown.map((item) => `    ${factText(item)}`)),
    ...(rest > 0 ? [`    and ${String(rest)} more`] : []),
  ];
}

function factText(value: unknown): string {
  if (typeof value === 'string') return forTerminal(value);
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

interface BugFacts {
  run: string | undefined;
  stack: string | undefined;
  telling: Telling;
}

function bugLines(error: BugError, { run, stack, telling }: BugFacts): string[] {
  const shown = telling.debug && stack !== undefined;
  return [
    `unexpected error: ${error.message}`,
    '  this is a bug in keylift or an event that it did not foresee, not a mistake of yours',
    ...linesOfFacts({ ...error.facts, run, stack: stack === undefined ? undefined : placeOfStack(telling) }),
    ...wayOut(error),
    ...(shown ? [stack] : []),
  ].map(forTerminalLines);
}

function placeOfStack({ debug, logFile }: Telling): string {
  if (debug) return 'below';
  return logFile === undefined ? 'shown by --log-level debug, kept by --log-file FILE' : `in ${logFile}`;
}
