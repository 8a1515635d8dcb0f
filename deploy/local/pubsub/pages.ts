import { invalid } from './settings.ts';

const MAX_PAGE = 1000;
const DEFAULT_PAGE = 100;

/** Cuts one page out of a list; the token is the last name that was sent. */
export function page<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  request: { pageSize?: number | null; pageToken?: string | null },
): { items: T[]; nextPageToken: string } {
  const wanted = request.pageSize || DEFAULT_PAGE;
  if (wanted < 0) throw invalid(`page_size is ${wanted}, wanted 0 to ${MAX_PAGE}`);
  const after = request.pageToken ? Buffer.from(request.pageToken, 'base64url').toString() : '';
  const rest = items.filter((item) => nameOf(item) > after).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const cut = rest.slice(0, Math.min(wanted, MAX_PAGE));
  const last = cut.at(-1);
  const hasMore = last !== undefined && cut.length < rest.length;
  return { items: cut, nextPageToken: hasMore ? Buffer.from(nameOf(last)).toString('base64url') : '' };
}
