/** The exit codes of the contract. Every command's help lists its own, and tests assert them. */
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
