/** Milliseconds since 1970; passed in wherever time decides something, so that tests can turn it. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();
