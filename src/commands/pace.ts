import type { PaceOptions } from '../operations/planned.js';

/** The flags of the pace as options of an operation: times in seconds. */
export const paceOf = ({ concurrency, batchSize, batchTime }: PaceOptions): PaceOptions => ({
  concurrency,
  batchSize,
  batchTime: inSeconds(batchTime),
});

/** A time that a flag has read, in seconds. */
export const inSeconds = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : milliseconds / 1000;
