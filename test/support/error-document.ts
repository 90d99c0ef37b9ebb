/** The code of the error document that a failing command printed with --json. */
export const errorCodeOf = (stdout: string): string => (JSON.parse(stdout) as { error: { code: string } }).error.code;
