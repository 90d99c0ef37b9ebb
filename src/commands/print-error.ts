import { redactText } from '../config/redact.js';
import { InterruptedError, KeyliftError, type ExitCode } from '../errors.js';

export interface ErrorText {
  text: string;
  exitCode: ExitCode;
  error: KeyliftError;
}

/**
 * Any thrown value as what a person reads on stderr, and the exit code it means. What keylift foresaw comes without
 * a stack; a bug says that it is one and shows its stack at debug level alone.
 */
export async function describeError(error: unknown, { debug, secrets }: { debug: boolean; secrets: readonly string[] }): Promise<ErrorText> {
  const known = await classify(error);
  const lines = known.code === 'unexpected' ? bugLines(known, debug) : knownLines(known);
  return { text: redactText(`keylift: ${lines.join('\n')}\n`, secrets), exitCode: known.exitCode, error: known };
}

async function classify(error: unknown): Promise<KeyliftError> {
  if (error instanceof KeyliftError) return error;
  if (error instanceof Error && error.name === 'AbortError') {
    return new InterruptedError('stopped on request', { hint: 'run the same command again: it goes on where it stopped', cause: error });
  }
  // Only here, because pg is heavy and most command lines end well.
  const { describeDatabaseError } = await import('../database/describe.js');
  return describeDatabaseError(error);
}

function knownLines({ message, facts, hint, anchor }: KeyliftError): string[] {
  return [
    message,
    ...Object.entries(facts).filter(([, value]) => value !== undefined).flatMap(([name, value]) => factLines(name, value)),
    ...(hint === undefined ? [] : [`  ${hint}`]),
    ...(anchor === undefined ? [] : [`  see runbook.md#${anchor}`]),
  ].map(printable);
}

const MOST_ITEMS = 20;

function factLines(name: string, value: unknown): string[] {
  const label = name.replaceAll('_', ' ');
  if (!Array.isArray(value)) return [`  ${label}: ${factText(value)}`];
  const rest = value.length - MOST_ITEMS;
  return [
    `  ${label}:`,
    ...value.slice(0, MOST_ITEMS).map((item) => `    ${factText(item)}`),
    ...(rest > 0 ? [`    and ${String(rest)} more`] : []),
  ];
}

function factText(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

function bugLines(error: KeyliftError, debug: boolean): string[] {
  const stack = error.cause instanceof Error ? error.cause.stack : undefined;
  return [
    `unexpected error: ${error.message}`,
    '  this is a bug in keylift: please report it, with the command line and what --log-level debug adds',
    ...(debug && stack !== undefined ? [stack] : []),
  ];
}

/** File names and key names may hold anything; a terminal must not obey it. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (mark) =>
    mark === '\n' || mark === '\t' ? mark : `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

