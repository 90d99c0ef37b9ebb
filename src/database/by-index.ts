/**
 * For statements over a page of a large table. The server would read the whole table instead, as soon as a page is a few
 * hundredths of it, for each statement of each page.
 */
export const BY_INDEX = 'SET LOCAL enable_seqscan = off';
