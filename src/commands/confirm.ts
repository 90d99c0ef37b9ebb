import { createInterface } from 'node:readline';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { columnsOf, fitted } from '../console/fitted.js';
import { forTerminalLines } from '../escaping.js';
import type { CommandContext } from './context.js';

export interface Question {
  question: string;
  /** What will happen, one line each, shown above the question. */
  lines?: readonly string[];
  /** --yes was given: there is no question. */
  yes: boolean;
  /** The answer that confirms, where a yes is too little. */
  answer?: string;
}

/**
 * Asks before a command writes. Throws `confirmation_missing` where no person can answer, `not_confirmed` when the
 * answer is not yes, and `interrupted` when a signal comes first.
 */
export async function confirm(
  { io, stop }: Pick<CommandContext, 'io' | 'stop'>,
  { question, lines = [], yes, answer: wanted }: Question,
): Promise<void> {
  if (yes) return;
  if (!io.isTTY.stdin || !io.isTTY.stderr) {
    throw keyliftError('confirmation_missing', {
      message: `this command asks a question, and there is no terminal to answer from: ${question}`,
    });
  }
  const text = forTerminalLines([...lines, `${question} ${wanted === undefined ? '[y/N] ' : ''}`].join('\n'));
  io.stderr.write(fitted(text, columnsOf(io, 'stderr')));
  const answer = await nextLine(io.stdin, stop);
  if (wanted === undefined ? !/^\s*(y|yes)\s*$/i.test(answer) : answer.trim() !== wanted) throw notConfirmed(wanted);
}

const notConfirmed = (wanted: string | undefined): KeyliftError =>
  wanted === undefined
    ? keyliftError('not_confirmed', { message: 'the answer was not yes; nothing was changed' })
    : keyliftError('not_confirmed', {
        message: `the answer was not the name ${JSON.stringify(wanted)}; nothing was changed`,
        hint: 'Run the command again and type the name, or pass --yes.',
      });

/** The next line, or nothing at the end of input. */
function nextLine(stdin: NodeJS.ReadableStream, stop: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    // With terminal: false ^C stays a signal, which the program's handler turns into `stop`.
    const reader = createInterface({ input: stdin, terminal: false });
    const onStop = () => {
      reject(
        keyliftError('interrupted', {
          message: 'the command was stopped at the question; nothing was changed',
          hint: 'Run the same command again.',
        }),
      );
      reader.close();
    };
    if (stop.aborted) {
      onStop();
      return;
    }
    stop.addEventListener('abort', onStop, { once: true });
    reader.once('line', (line) => {
      resolve(line);
      reader.close();
    });
    reader.once('close', () => {
      stop.removeEventListener('abort', onStop);
      resolve('');
    });
  });
}
