/** SQL: a moment as the ledger writes and tells it, UTC in ISO 8601 to the millisecond. */
export const moment = (at: string): string => `to_char((${at}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** SQL: a date of the operator's tables in ISO 8601, with the zone if its type has one, and every microsecond. */
export const isoDate = (value: string): string => `to_json(${value}) #>> '{}'`;
