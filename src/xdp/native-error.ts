/** The errors that the native addon throws. A file of its own, so that telling them from others does not load the addon. */

/** What the addon throws when the operating system refuses: `code` is the errno's name, `hint` what to do about it. */
export interface NativeError extends Error {
  readonly syscall: string;
  readonly errno: number;
  readonly code: string;
  readonly hint: string;
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && "syscall" in error && "errno" in error && "hint" in error;
}
