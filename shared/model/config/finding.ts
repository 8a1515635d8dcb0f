/** A mistake that only shows when settings are seen together. */
export interface Finding {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

/** Takes one finding. */
export type Report = (path: Finding['path'], message: string, remedy: string) => void;
