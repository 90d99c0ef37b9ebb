/** A value as EXCEPT may compare it: text byte by byte, and types without an order of their own as text. */
export const comparable = (value: string, { byText }: { byText: boolean }): string =>
  byText ? `${value}::text COLLATE "C"` : value;
