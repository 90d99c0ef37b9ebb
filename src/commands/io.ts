/** The surroundings of the program. Passed in, so that tests can run the whole program in their own process. */
export interface Io {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  stdin: NodeJS.ReadableStream;
  env: Record<string, string | undefined>;
  cwd: string;
  isTTY: { stdin: boolean; stdout: boolean; stderr: boolean };
  /** Calls back on SIGINT and SIGTERM until the returned function is called. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
}
