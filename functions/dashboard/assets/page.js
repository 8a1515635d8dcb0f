/**
 * Keeps the page current: asks for it again with the tag of what is shown, and morphs the answer in, so that focus,
 * scroll and typed text stay. Everything it does has a plain link or form beneath it.
 */
(() => {
  const everyMs = 2_000;
  const slowestMs = 30_000;
  const typingMs = 150;

  const policy = window.trustedTypes?.createPolicy('penstock', { createHTML: (text) => text });
  const element = (id) => document.getElementById(id);
  let paused = element('live')?.dataset.paused === 'true';
  let tag;
  let timer;
  let asking;
  let failures = 0;

  async function refresh() {
    clearTimeout(timer);
    asking?.abort();
    const turn = new AbortController();
    asking = turn;
    try {
      const headers = { accept: 'text/html', 'penstock-refresh': '1', ...(tag ? { 'if-none-match': tag } : {}) };
      const signal = AbortSignal.any([turn.signal, AbortSignal.timeout(15_000)]);
      const answer = await fetch(address(), { headers, signal, cache: 'no-store' });
      if (answer.status !== 304 && !answer.ok) throw new Error(`The page answered ${answer.status}`);
      const text = answer.status === 304 ? undefined : await answer.text();
      if (turn.signal.aborted) return;
      if (text !== undefined) show(text);
      tag = answer.headers.get('etag') ?? undefined;
      failures = 0;
      sayAsOf(answer.headers.get('penstock-as-of'));
      sayTrouble('');
    } catch {
      if (turn.signal.aborted) return;
      failures += 1;
      sayTrouble('Not reached, trying again');
    }
    plan();
  }

  function plan() {
    clearTimeout(timer);
    if (paused || document.hidden) return;
    timer = setTimeout(refresh, Math.min(slowestMs, everyMs * 2 ** Math.min(failures, 4)));
  }

  function address() {
    return `${location.pathname}${location.search}`;
  }

  function show(text) {
    const parsed = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, 'text/html');
    if (!parsed.getElementById('live')) throw new Error('The answer is not this page');
    document.title = parsed.title;
    Idiomorph.morph(document.body, parsed.body, {
      morphStyle: 'outerHTML',
      // Only for a field: of any other focused part the morph would leave its text as it was.
      ignoreActiveValue: document.activeElement?.localName === 'input',
      callbacks: {
        // What a reader has opened stays open.
        beforeAttributeUpdated: (name, node) => !(name === 'open' && node.localName === 'details'),
      },
    });
  }

  function sayAsOf(asOf) {
    const time = element('as-of');
    if (!asOf || !time) return;
    time.dateTime = asOf;
    time.textContent = `${asOf.slice(11, 19)} UTC`;
  }

  function sayTrouble(text) {
    const trouble = element('trouble');
    if (trouble && trouble.textContent !== text) trouble.textContent = text;
    element('live')?.setAttribute('data-trouble', String(text !== ''));
  }

  function setQuery(name, value) {
    const url = new URL(location.href);
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
    history.replaceState(null, '', url);
    tag = undefined;
  }

  function setPaused(next) {
    paused = next;
    setQuery('paused', paused ? '1' : '');
    if (!paused) {
      refresh();
      return;
    }
    clearTimeout(timer);
    asking?.abort();
    element('live').dataset.paused = 'true';
    element('pause').textContent = 'Resume';
  }

  document.addEventListener('submit', (event) => {
    if (event.target.id === 'live') {
      event.preventDefault();
      setPaused(!paused);
    }
    if (event.target.id === 'filters') {
      event.preventDefault();
      setQuery('q', element('q').value);
      refresh();
    }
  });

  let typing;
  document.addEventListener('input', (event) => {
    if (event.target.id !== 'q') return;
    clearTimeout(typing);
    typing = setTimeout(() => {
      setQuery('q', element('q').value);
      refresh();
    }, typingMs);
  });

  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[data-soft]');
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.replaceState(null, '', link.href);
    tag = undefined;
    refresh();
  });

  document.addEventListener('visibilitychange', () => {
    if (document.hidden) clearTimeout(timer);
    else if (!paused) refresh();
  });

  plan();
})();
