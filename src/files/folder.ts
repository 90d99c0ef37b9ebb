import { chmod, mkdir } from 'node:fs/promises';
import { cannotWrite, failWriting, lookAt, refusal, refuseForeign, type Output } from './placement.js';

/** Refuses a folder that exists and is not a folder of this user, or is a symbolic link. @throws the error of the output */
export function checkFolder(output: Output): void {
  const stats = lookAt(output);
  if (stats === undefined) return;
  if (stats.isSymbolicLink()) throw refusal(output, 'it is a symbolic link');
  if (!stats.isDirectory()) throw cannotWrite(output, new Error('it is not a folder'));
  refuseForeign(output, stats);
}

/** Makes a folder that only its owner can look into, also where it existed before. @throws the error of the output */
export async function makeFolder(output: Output): Promise<void> {
  await mkdir(output.file, { recursive: true, mode: 0o700 }).catch(failWriting(output));
  checkFolder(output);
  await chmod(output.file, 0o700).catch(failWriting(output));
}
