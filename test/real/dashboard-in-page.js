/** What the browser test asks from within the page. Loaded before the page's own script, outside of its policy. */
globalThis.inPage = (() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (node) =>
    (node.getAttribute('aria-label') ?? node.getAttribute('aria-labelledby') ?? node.textContent ?? '').trim() !== '';

  let asked = 0;
  const { fetch } = globalThis;
  globalThis.fetch = (...words) => {
    asked += 1;
    return fetch(...words);
  };

  /** How often the page's script has asked for it again. */
  const refreshes = () => asked;

  /** What focus, typing and scroll look like now. */
  function reader() {
    const { activeElement } = document;
    return {
      focused: activeElement.id,
      typed: activeElement.value,
      caret: activeElement.selectionStart,
      scrolled: window.scrollY,
      query: location.search,
    };
  }

  /** Parts that have no name, stand in the wrong place, or lead nowhere. */
  function unnamed() {
    const levels = all('h1,h2,h3').map((node) => Number(node.tagName.slice(1)));
    const ids = all('[id]').map(({ id }) => id);
    return [
      ...(document.documentElement.lang === 'en' ? [] : ['the page has no language']),
      ...(levels.filter((level) => level === 1).length === 1 ? [] : ['the page has not one h1']),
      ...levels.filter((level, at) => level > (levels[at - 1] ?? 1) + 1).map((level) => `h${level} skips a level`),
      ...['header', 'nav', 'main', 'footer'].filter((name) => !document.querySelector(name)),
      ...all('svg:not([aria-hidden="true"])').filter((node) => !named(node)),
      ...all('input:not([type="hidden"])').filter((node) => !document.querySelector(`label[for="${node.id}"]`)),
      ...all('a[href],button').filter((node) => !named(node)),
      ...all('table').filter((node) => !node.querySelector('caption') || !node.querySelector('th[scope="col"]')),
      ...all('section').filter((node) => !node.hasAttribute('aria-label') && !node.hasAttribute('aria-labelledby')),
      ...all('[aria-labelledby]').filter((node) => !document.getElementById(node.getAttribute('aria-labelledby'))),
      ...all('a[href^="#"]').filter((node) => !document.getElementById(node.getAttribute('href').slice(1))),
      ...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `id ${id} twice`),
    ].map((part) => (typeof part === 'string' ? part : part.outerHTML.slice(0, 100)));
  }

  /** Texts whose contrast with the first opaque ground behind them is under 4.5 (WCAG 2.2, 1.4.3). */
  function faintTexts() {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const read = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
      const [red, green, blue] = read(color).map((part) => {
        const share = part / 255;
        return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = (node) => {
      const { backgroundColor } = getComputedStyle(node);
      return read(backgroundColor)[3] === 255 ? backgroundColor : groundOf(node.parentElement);
    };
    const texts = all('body *').filter((node) => {
      const box = node.getBoundingClientRect();
      const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== '');
      return hasText && box.width > 1 && !node.closest('.sprite, noscript, .skip');
    });
    return texts.flatMap((node) => {
      const style = getComputedStyle(node);
      const color = node instanceof SVGElement ? style.fill : style.color;
      const [bright, dark] = [luminance(color), luminance(groundOf(node))].sort((a, b) => b - a);
      const contrast = (bright + 0.05) / (dark + 0.05);
      return contrast < 4.5 ? [`${contrast.toFixed(2)}: ${node.outerHTML.slice(0, 100)}`] : [];
    });
  }

  /** Boxes whose content is wider than they are. */
  function wideParts() {
    const wide = all('main *').filter(
      (node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === 'auto',
    );
    return wide.map((node) => `${node.scrollWidth} px: ${node.outerHTML.slice(0, 100)}`);
  }

  /** True when the focused part shows that it is. */
  function focusShows() {
    return getComputedStyle(document.activeElement).outlineStyle !== 'none';
  }

  return { refreshes, reader, unnamed, faintTexts, wideParts, focusShows };
})();
