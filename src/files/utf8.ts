/** The text of a file, or a fault of its bytes as the end of a sentence: `holds a NUL byte (byte 15)`. */
export type TextOfBytes = { text: string; fault?: undefined } | { text?: undefined; fault: string };

/** Decodes strict UTF-8 without NUL. Removes a byte order mark, which spreadsheets and some editors write. */
export function decodeUtf8(bytes: Uint8Array): TextOfBytes {
  // Spreadsheets call this "Unicode text". Checked first, because it also contains NUL bytes.
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return { fault: 'is UTF-16; save it as UTF-8' };
  const nul = bytes.indexOf(0);
  if (nul !== -1) return { fault: `holds a NUL byte (byte ${String(nul + 1)})` };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { fault: 'is not valid UTF-8' };
  }
}
