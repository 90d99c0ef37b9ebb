import { JsonFault, parseJson } from '../config/json.js';

/** A fault of a JSON text. `path` is empty when the text is not JSON. */
export interface JsonTextFault {
  path: string;
  message: string;
}

/** The value of a JSON text, or its faults. */
export type JsonTextReading = { value: unknown; faults: [] } | { value: undefined; faults: JsonTextFault[] };

/** Reads JSON and returns its faults as values: a syntax error with its position, or every duplicate key. */
export function readJsonText(text: string): JsonTextReading {
  try {
    const { value, duplicates } = parseJson(text);
    if (duplicates.length === 0) return { value, faults: [] };
    return {
      value: undefined,
      faults: duplicates.map(({ path, line }) => ({
        path: joinPaths(path),
        message: `given twice (again on line ${String(line)})`,
      })),
    };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    return { value: undefined, faults: [{ path: '', message: error.message }] };
  }
}

/** Adds a step to a path: `keys[3].created_at`. */
export function joinPath(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${String(step)}]`;
  const name = /^[A-Za-z_][\w-]*$/.test(step) ? step : `[${JSON.stringify(step)}]`;
  return path === '' || name.startsWith('[') ? `${path}${name}` : `${path}.${name}`;
}

function joinPaths(steps: readonly (string | number)[]): string {
  return steps.reduce<string>((path, step) => joinPath(path, step), '');
}
