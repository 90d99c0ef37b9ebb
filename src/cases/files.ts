import { textOrFault } from '../files/read.js';
import type { TextOfBytes } from '../files/utf8.js';

const MAX_MIB = 256;

/** Reads a file of a case, or says what is wrong with it: `not valid UTF-8`. */
export async function readUtf8(file: string): Promise<TextOfBytes> {
  const reading = await textOrFault(file, MAX_MIB);
  return reading.fault === undefined ? reading : { fault: reading.fault.replace(/^is /, '') };
}
