/** One thing that stands between an attack and what it wants, and the test that would miss it. */
export interface Defence {
  /** As `docs/security.md` heads its rows. */
  readonly attack: string;
  /** Short, and its own: `npm run test:defences -- WORD` runs those whose id has the word. */
  readonly id: string;
  /** The file that defends. */
  readonly file: string;
  /** What stands there, exactly and once. */
  readonly text: string;
  /** What stands there in place of it when the defence is taken away. */
  readonly without: string;
  readonly test: string;
  /** The test's whole name. */
  readonly name: string;
}
