const PLAIN = /^[\w./:=,@%+-]+$/;

/** A run's command line as a person would type it; only the command where the ledger has no arguments. */
export const commandLine = (run: { command: string; arguments: readonly string[] | null }): string =>
  run.arguments === null
    ? `${run.command} (called by a program)`
    : ['keylift', nameOf(run.command), ...run.arguments.map(quoted)].join(' ');

/** The ledger calls a purge and a way back by a flag that the arguments have, too. */
const nameOf = (command: string): string => command.split(' ')[0]!;

const quoted = (text: string): string => (PLAIN.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);
