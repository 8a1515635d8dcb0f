import type { html } from 'hono/html';

/** Markup in which everything that came from data is escaped: only `hono/html`'s templates make it. */
export type Html = ReturnType<typeof html>;
