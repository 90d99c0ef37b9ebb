import { forJson } from '../escaping.js';
import type { ErrorDocument } from './print-error.js';

/** The one document on stdout with --json: the answer of the command, or its error. */
export class Answers {
  #printed = false;

  constructor(private readonly stdout: NodeJS.WritableStream) {}

  /** Prints the answer. A second one is a bug. */
  print(document: unknown): void {
    if (this.#printed) throw new Error('a command answered twice with --json');
    this.#write(document);
  }

  /** Prints the error of a command that failed before it had an answer. */
  printError(document: ErrorDocument): void {
    if (!this.#printed) this.#write(document);
  }

  #write(document: unknown): void {
    this.#printed = true;
    this.stdout.write(`${forJson(document, 2)}\n`);
  }
}
