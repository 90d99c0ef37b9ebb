/** A file's text, or what is wrong with its bytes, as the rest of a sentence: `holds a NUL byte (byte 15)`. */
export type TextOfBytes = { text: string; fault?: undefined } | { text?: undefined; fault: string };

/** Strict UTF-8 without NUL. A byte order mark, as spreadsheets and some editors write it, is not part of the text. */
export function decodeUtf8(bytes: Uint8Array): TextOfBytes {
  // A spreadsheet's "Unicode text"; every other one of its bytes is NUL, which would be the lesser news.
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
