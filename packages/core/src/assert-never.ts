/** Makes the compiler check that a `switch` is exhaustive. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected: ${JSON.stringify(value)}`);
}
