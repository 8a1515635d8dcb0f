export type PipelineFilter = 'all' | 'attention' | 'flowing' | 'idle';

/** What the request adds to the content: where the page lives and what its reader chose. */
export interface PageOptions {
  /** The path that the function is mounted at, without a slash at its end. */
  readonly base: string;
  /** Files by name, as addresses that change with their content. */
  readonly assets: Readonly<Record<'css' | 'morph' | 'script' | 'icon', string>>;
  readonly search: string;
  readonly filter: PipelineFilter;
  readonly paused: boolean;
  /** Who looks, as policies name them. */
  readonly visitor: string;
  /** Who is signed in, and what its forms carry; absent where nobody has to sign in. */
  readonly session?: { readonly name: string; readonly formToken: string };
}
